"""The servers that come along: PostgreSQL and an MQTT broker as processes of ours, for one machine, the demo and the tests.

Rules
-----
1. Real servers, the same programs a large deployment runs. Only the broker has a stand-in (amqtt), which says so.
2. Nobody but this machine can reach them: PostgreSQL has a socket file in its own closed folder and no TCP port, the
   broker listens on 127.0.0.1.
3. Who uses the database holds a shared file lock. The kernel lets go of it even after kill -9, so "am I the last one?"
   never depends on anybody's tidy end, and the last one stops the server.
4. PostgreSQL refuses to run as root. Started by root, the servers run as the system user `embedded_postgres`.
5. Ctrl-C reaches the whole process group of a terminal, so the servers stand outside of it and are stopped in order,
   after those who use them. Should we die without a word, the kernel ends the broker (`setpriv --pdeathsig`); a
   PostgreSQL left behind is safe, and is taken over by the next start on its folder.
"""

from gateway.embedded.broker import Broker
from gateway.embedded.ground import EmbeddedError
from gateway.embedded.ports import LOOPBACK, free_port
from gateway.embedded.postgres import EmbeddedPostgres, installation

__all__ = ["LOOPBACK", "Broker", "EmbeddedError", "EmbeddedPostgres", "free_port", "installation"]
