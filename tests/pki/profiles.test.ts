import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { OID } from '../../pki/oids.ts'
import { PROFILES } from '../../pki/profiles.ts'
import { DAY_MS } from './support.ts'

const document = readFileSync('docs/certificate-profiles.md', 'utf8')
const nameOf = (id: string): string => Object.entries(OID).find(([, value]) => value === id)![0]

it.each(Object.entries(PROFILES))('the document describes %s as it is issued', (name, profile) => {
  const { keyUsage, extendedKeyUsage, authority, lifetimeMs, subjectAltNames } = profile
  const cells = [
    `\`${name}\``,
    keyUsage.join(', '),
    extendedKeyUsage.map(nameOf).join(', ') || 'none',
    authority ? `CA, path length ${authority.pathLength}` : 'not a CA',
    subjectAltNames,
    `${lifetimeMs / DAY_MS} days`,
  ]
  expect(document).toContain(`| ${cells.join(' | ')} |`)
})
