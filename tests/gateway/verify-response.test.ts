import { beforeEach, describe, expect, it } from 'vitest'
import { requestExchange } from '../../gateway/exchange.ts'
import type { Replied } from '../../gateway/exchange-state.ts'
import type { ClientGateway } from '../../gateway/ports.ts'
import { verifyResponse } from '../../gateway/steps/verify-response.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { headerBlock, headerBlockDigest } from '../../protocol/header-block.ts'
import { parseJws } from '../../protocol/jws.ts'
import { parseResponseManifest, type ResponseManifest } from '../../protocol/manifest.ts'
import { NOW } from '../pki/support.ts'
import { BANK, CLIENT, ID, pairOfGateways, REGISTRY, textBody, type Pair } from './support.ts'

let pair: Pair
let good: Replied
let manifest: ResponseManifest
let gw: ClientGateway
beforeEach(async () => {
  pair = await pairOfGateways()
  gw = pair.client.gw
  let known: object = {}
  await requestExchange(pair.asked(), {
    ...gw,
    begin: (incoming) => {
      const step = gw.begin(incoming)
      const run = async <T>(name: string, body: () => Promise<T> | T): Promise<T> => {
        const result = await step(name, body)
        if (name === 'send-to-provider') known = result as object
        return result
      }
      return Object.assign(run, { known })
    },
  })
  good = known as Replied
  manifest = parseResponseManifest(parseJws(good.reply.rawHeaders.at(-1)!).payload)
})

interface Sent {
  readonly status?: number
  readonly extra?: string[]
  readonly body?: string
  readonly signer?: ClientGateway['signer']
  readonly member?: string
  readonly at?: Date
}

async function replied(changes: Partial<ResponseManifest> = {}, sent: Sent = {}): Promise<Replied> {
  const { status = 200, extra = [], body = 'answer', member = REGISTRY, at = NOW } = sent
  const { signer = pair.provider.gw.signer } = sent
  const jws = await signer.sign(member, { ...manifest, ...changes }, pair.view, at)
  const rawHeaders = [...good.reply.rawHeaders.slice(0, -2), ...extra, 'spean-manifest', jws]
  return { ...good, reply: { status, rawHeaders, stream: textBody(body).open() } }
}
const refused = async (state: Replied | Promise<Replied>, code: ErrorCode) =>
  expect(verifyResponse(await state, gw)).rejects.toMatchObject({ code })

describe('verify-response', () => {
  it('hands on the answer that was signed, without the manifest', async () => {
    const { answer, response } = await verifyResponse(await replied(), gw)
    expect(answer).toMatchObject({ status: 200, body: { size: 6 } })
    expect(answer.headers.map(([name]) => name)).not.toContain('spean-manifest')
    expect(response).toEqual(manifest)
  })

  it.each<[string, Partial<ResponseManifest>]>([
    ['another request', { requestDigest: 'A'.repeat(43) }],
    ['another exchange', { exchangeId: ID.replace(/0$/, '1') }],
    ['another message', { messageId: 'other' }],
    ['another client', { client: BANK }],
    ['another service', { service: `${REGISTRY}/POP/other` }],
    ['another gateway of the provider', { gateway: `${REGISTRY}/REG-2` }],
  ])('refuses an answer of %s', async (_name, changes) => {
    await refused(replied(changes), 'response.mismatch')
  })

  it.each<[string, Sent, ErrorCode]>([
    ['another status', { status: 201 }, 'manifest.message-altered'],
    ['one more header', { extra: ['x-a', 'b'] }, 'manifest.message-altered'],
    ['another body', { body: 'Answer' }, 'manifest.body-altered'],
    ['a longer body', { body: 'answer ' }, 'manifest.body-altered'],
    ['too many headers', { extra: ['x-a', 'b'.repeat(20_000)] }, 'provider.answer-invalid'],
    ['a signature from long ago', { at: new Date(+NOW - 301_000) }, 'manifest.time-invalid'],
  ])('refuses %s', async (_name, sent, code) => {
    await refused(replied({}, sent), code)
  })

  it.each([
    ['x-road-client', BANK],
    ['x-road-id', 'other'],
    ['x-road-request-hash', 'other'],
    ['x-road-request-id', ID.replace(/0$/, '1')],
    ['x-road-service', `${REGISTRY}/POP/other`],
    ['x-road-error', 'server.serverproxy.access_denied'],
  ])('refuses a signed answer whose %s is of another exchange', async (name, value) => {
    const own = good.reply.rawHeaders.slice(0, -2)
    const at = own.indexOf(name)
    const rawHeaders = at < 0 ? [...own, name, value] : own.with(at + 1, value)
    const headersDigest = headerBlockDigest(headerBlock(rawHeaders))
    const { reply, ...state } = await replied({ headersDigest })
    const jws = reply.rawHeaders.at(-1)!
    const altered = { ...reply, rawHeaders: [...rawHeaders, 'spean-manifest', jws] }
    await refused({ ...state, reply: altered }, 'response.mismatch')
  })

  it('has no more of the body stored than was signed', async () => {
    const asked: unknown[] = []
    const ofReply: ClientGateway['bodies']['ofReply'] = async (_stream, _scope, signedSize) => {
      asked.push(signedSize)
      return textBody('answer')
    }
    await verifyResponse(await replied(), { ...gw, bodies: { ...gw.bodies, ofReply } })
    expect(asked).toEqual([6])
  })

  it('compares the size of the body too', async () => {
    await refused(replied({ bodySize: 7 }), 'manifest.body-altered')
  })

  it('refuses the signature of a member that is not the service’s', async () => {
    const { signer } = pair.client.gw
    await refused(replied({ client: CLIENT }, { signer, member: BANK }), 'manifest.signer-unknown')
  })

  it('takes in no body before everything else is verified', async () => {
    let taken = false
    const ofReply = async () => {
      taken = true
      return textBody('answer')
    }
    gw = { ...gw, bodies: { ...gw.bodies, ofReply } }
    await refused(replied({}, { status: 201 }), 'manifest.message-altered')
    await refused(replied({ messageId: 'other' }), 'response.mismatch')
    expect(taken).toBe(false)
  })
})
