#!/usr/bin/env python3
"""Takes TLS connections on a loopback port and passes their bytes on to another, in the clear.

    tlsproxy.py PORT CERT KEY TO-PORT
"""
import asyncio
import ssl
import sys


async def copy(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main(port, cert, key, to):
    async def serve(reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", int(to))
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.start_server(serve, "127.0.0.1", int(port), ssl=context)
    async with server:
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
