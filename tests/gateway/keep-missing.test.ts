/** A gateway that was killed between a record and what its signature is judged by. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { chainOf } from '../../exchange-log/validation-chain.ts'
import { openSqliteValidationStore } from '../../exchange-log/validation-store-sqlite.ts'
import { requestExchange } from '../../gateway/exchange.ts'
import { keepMissing } from '../../gateway/trust/keep-missing.ts'
import { openOcspCache } from '../../gateway/trust/ocsp-cache.ts'
import { createTrust } from '../../gateway/trust/trust.ts'
import { startValidationKeeper } from '../../gateway/trust/validation-keeper.ts'
import { append, refusalEntry, requestEntry } from '../contract/exchange-log-entries.ts'
import { NOW, temporaryFolder } from '../pki/support.ts'
import { startResponder } from './ocsp-responder.ts'
import { pairOfGateways, silent } from './support.ts'

it('has kept the certificates that are missing after the next start', async () => {
  const pair = await pairOfGateways()
  const { client, keys, sent, view } = pair
  const { responseJws } = await requestExchange(pair.asked(), client.gw)
  const folder = temporaryFolder()
  await using log = await openSqliteLogStore(join(folder, 'log.db'), { maxBytes: 1_000_000 })
  await append(log, requestEntry('x-1', { manifest: sent[0]!.manifest }))
  await append(log, requestEntry('x-1', { manifest: responseJws }))
  await append(log, requestEntry('x-3', { manifest: 'altered since' }))
  await append(log, refusalEntry('x-2', 'access.denied'))
  await using validation = openSqliteValidationStore(join(folder, 'validation.db'))

  const start = async (): Promise<number> => {
    const policy = { refreshSeconds: 300, logger: silent }
    await using keeper = startValidationKeeper({ store: validation, ...policy })
    await using ocsp = openOcspCache({
      ...{ ...policy, gateway: 'KH-TEST/COM/BANK/BANK-1', outageMinutes: 240 },
      dir: join(folder, 'ocsp'),
      clock: () => NOW,
    })
    const snapshot = () => view
    const trust = createTrust({ snapshot, ocsp, keeper, clock: () => NOW })
    return await keepMissing({ log, validation, snapshot, trust })
  }
  expect(await start()).toBe(2)
  for (const { certificate } of [keys.bank, keys.registry]) {
    expect(await chainOf(validation, certificate.thumbprint, NOW)).toHaveLength(3)
  }
})

it('has the answer about a signer that is missing asked for, and kept', async () => {
  await using responder = await startResponder()
  const leaf = await responder.issue()
  const folder = temporaryFolder()
  await using validation = openSqliteValidationStore(join(folder, 'validation.db'))
  // Killed after the certificate was written, before the answer was.
  await validation.keepCertificates([leaf.der, responder.issuing.der])
  const header = { alg: 'ES256', kid: 'KH-TEST/GOV/REG', iat: 1, 'x5t#S256': leaf.thumbprint }
  const parts = [JSON.stringify(header), '{}', '-'.repeat(64)]
  const manifest = parts.map((part) => Buffer.from(part).toString('base64url')).join('.')
  await using log = await openSqliteLogStore(join(folder, 'log.db'), { maxBytes: 1_000_000 })
  await append(log, requestEntry('x-1', { manifest }))
  const { view } = await pairOfGateways()
  const approved = { ...view.authorities[0]!, anchor: responder.issuing, intermediates: [] }
  const snapshot = () => ({
    ...view,
    authorities: [approved],
    anchors: [responder.issuing],
    signingCertificate: () => leaf,
  })

  const start = async (): Promise<number> => {
    const policy = { refreshSeconds: 300, logger: silent }
    await using keeper = startValidationKeeper({ store: validation, ...policy })
    await using ocsp = openOcspCache({
      ...{ ...policy, gateway: 'KH-TEST/COM/BANK/BANK-1', outageMinutes: 240 },
      dir: join(folder, 'ocsp'),
      clock: responder.clock.now,
      onAnswer: (certificate, answer) => keeper.heard(certificate, answer),
    })
    const trust = createTrust({ snapshot, ocsp, keeper, clock: responder.clock.now })
    const missing = await keepMissing({ log, validation, snapshot, trust })
    if (missing > 0) await expect.poll(() => ocsp.answer(leaf.thumbprint)).toBeDefined()
    return missing
  }
  expect(await start()).toBe(1)
  expect(await validation.ocspAnswer(leaf.thumbprint, new Date())).toBeDefined()
  expect(await start()).toBe(0)
})
