"""The link of a site: relays COUNT addresses to as many others, until it is cut.

usage: link_relay.py COUNT FROM_PREFIX FROM_PORT TO_PREFIX TO_PORT   (addresses are PREFIX.1, PREFIX.2, …)

"cut" on standard input ends all connections and refuses new ones, "mend" lets them through again; each is answered with
the same word. It ends with its standard input.
"""
import asyncio
import os
import sys


class Relay:
    def __init__(self, count, from_prefix, from_port, to_prefix, to_port):
        self.ends = [
            (f"{from_prefix}.{n}", int(from_port), f"{to_prefix}.{n}", int(to_port)) for n in range(1, int(count) + 1)
        ]
        self.servers, self.writers = [], set()

    async def mend(self):
        for host, port, target, target_port in self.ends:
            self.servers.append(await asyncio.start_server(self.link(target, target_port), host, port))

    def cut(self):
        for server in self.servers:
            server.close()
        for writer in self.writers:
            writer.transport.abort()
        self.servers, self.writers = [], set()

    def link(self, target, port):
        async def relay(reader, writer):
            try:
                far_reader, far_writer = await asyncio.open_connection(target, port)
            except OSError:
                writer.transport.abort()
                return
            self.writers |= {writer, far_writer}
            await asyncio.gather(self.copy(reader, far_writer), self.copy(far_reader, writer))
            self.writers -= {writer, far_writer}

        return relay

    @staticmethod
    async def copy(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()


async def main():
    relay = Relay(*sys.argv[1:])
    await relay.mend()
    print("mend", flush=True)
    loop = asyncio.get_running_loop()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "cut":
            relay.cut()
        else:
            await relay.mend()
        print(line, flush=True)
    os._exit(0)


asyncio.run(main())
