import { expect, it } from 'vitest'
import { createCertificateStates } from '../../gateway/trust/certificate-states.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { silent } from './support.ts'

type Deps = Parameters<typeof createCertificateStates>[0]
type Take = ReturnType<typeof createCertificateStates>['take']

const MOST = 2 * LIMITS.certificateStates
const THUMBPRINT = 'A'.repeat(43)

it('verifies so many new answers of one gateway in a minute, however many it hands over', async () => {
  const known = Buffer.from('known')
  const verified: Buffer[] = []
  const states = createCertificateStates({
    ocsp: { answer: () => ({ der: known }) },
    trust: {
      take: (_certificate: unknown, der: Buffer) => {
        verified.push(der)
        return new Date()
      },
    },
    certificates: () => [],
    logger: silent,
  } as unknown as Deps)
  const gateway = (id: string) =>
    ({
      id,
      clients: new Set(),
      certificates: new Map([[THUMBPRINT, {}]]),
    }) as never as Parameters<Take>[1]
  const hand = (id: string, ders: readonly Buffer[]) =>
    states.take(
      ders.map((ocsp) => ({ thumbprint: THUMBPRINT, ocsp })),
      gateway(id),
      {} as Parameters<Take>[2],
    )
  const fresh = Array.from({ length: LIMITS.certificateStates }, (_, i) => Buffer.from(`new ${i}`))
  for (let i = 0; i < 5; i += 1) await hand('FLOOD', fresh)
  expect(verified.length).toBeGreaterThanOrEqual(MOST)
  expect(verified.length).toBeLessThan(MOST + 50) // some come anew while this runs
  verified.length = 0
  await hand('OTHER', fresh)
  expect(verified).toHaveLength(fresh.length)
  verified.length = 0
  await hand('FLOOD', [known, known])
  expect(verified).toEqual([known, known]) // costs nothing, and says since when it is known
})
