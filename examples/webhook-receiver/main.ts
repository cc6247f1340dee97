/** Hears of changes of services and prints them: node examples/webhook-receiver/main.ts --anchor FILE --cert FILE --key FILE --port N */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { Command } from 'commander'
import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose'
import type { Anchor } from '../../protocol/snapshot.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import { listen, runMain, stopSignal } from '../../runtime/lifecycle.ts'

const MAX_BYTES = 1024 * 1024
const HOST = '127.0.0.1'

interface Options {
  readonly anchor: string
  readonly cert: string
  readonly key: string
  readonly port: string
}
interface Notification extends JWTPayload {
  readonly event: { readonly type: string; readonly service: string; readonly version: string }
}

const options = new Command('webhook-receiver')
  .description('prints what the catalogue says of services, once its signature is verified')
  .requiredOption('--anchor <file>', 'anchor of the instance: its name, and the catalogue’s keys')
  .requiredOption('--cert <file>', 'PEM chain, its own certificate first')
  .requiredOption('--key <file>', 'PEM')
  .option('--port <n>', `on ${HOST}`, '9443')
  .parse()
  .opts<Options>()

await runMain(async () => {
  const readAnchor = () => JSON.parse(readFileSync(options.anchor, 'utf8')) as Anchor
  const { instance } = readAnchor()
  const expected = {
    issuer: instance,
    // The URL as it was given to the catalogue: what was sent to somebody else is not for us
    audience: `https://${HOST}:${options.port}/`,
    typ: 'spean-event+jwt',
    requiredClaims: ['jti', 'event'],
  }
  const seen = new Set<string>()
  const receive = async (jwt: string): Promise<void> => {
    // The catalogue's keys rotate: it writes the new ones to its anchor before it signs with them
    const keys = createLocalJWKSet({ keys: readAnchor().keys } as JSONWebKeySet)
    const { payload } = await jwtVerify<Notification>(jwt, keys, expected)
    // What was not answered in time comes again
    if (seen.has(payload.jti!)) return
    seen.add(payload.jti!)
    console.log(JSON.stringify(payload.event))
  }
  const tls = { cert: readFileSync(options.cert), key: readFileSync(options.key) }
  const server = createServer(tls, (request, response) => {
    readAtMost(request, MAX_BYTES)
      .then((body) => receive(body.toString('utf8')))
      .then(() => response.writeHead(204).end())
      .catch((error: unknown) => {
        console.error(`refused: ${(error as Error).message}`)
        response.writeHead(error instanceof errors.JOSEError ? 400 : 500).end()
      })
  })
  await using _listening = await listen(server, Number(options.port), HOST)
  console.log(`listening at ${expected.audience}`)
  await stopSignal()
})
