import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** OpenAPI descriptions that others wrote for services of their own, as npm packages have them. */
interface Published {
  readonly name: string
  readonly version: string
  /** SHA-512, base64, as the registry has it. */
  readonly sha512: string
  /** Within the package. */
  readonly file: string
}

export const PUBLISHED: readonly Published[] = [
  {
    // Dialogporten, by which Norwegian authorities write to citizens (OpenAPI 3.0)
    name: '@digdir/dialogporten-schema',
    version: '1.118.6',
    sha512:
      'lRlFqAF59sK7U1cm4taIZkXatS2/u12cQ6wgg4lmlS/roTtHCEfvLtNO5oCcfnEy8XeC2ZDEWdbXLRKMDOzc5Q==',
    file: 'swagger.verified.json',
  },
  {
    // British addresses (3.0)
    name: '@ideal-postcodes/openapi',
    version: '4.21.0',
    sha512:
      'QvwrkjQNFYj+drLJ8UKex8mlrPRn7/pii9l5G2X/FFbyisEzZ46524tpm4MphIpqjZHGBgK2gnGgrXQxeDwy+w==',
    file: 'dist/openapi.json',
  },
  {
    // The API of ReadMe (3.1)
    name: '@readme/oas-examples',
    version: '8.2.2',
    sha512:
      'uytlvlylq3zpemG0h1R7ijlMBCajqXU0VpMI1Iw+j92s77Y/oT6pBf3BZN0lYl0WIGTh7POM4Jdu7L14eCzwXQ==',
    file: '3.1/json/readme.json',
  },
]

/** Fetches a package once for this machine; what arrives is what was seen when this was written. */
export function publishedDescription({ name, version, sha512, file }: Published): unknown {
  const dir = join(tmpdir(), 'spean-published', `${name.replaceAll(/\W/g, '-')}-${version}`)
  const path = join(dir, 'package', file)
  if (!existsSync(path)) {
    mkdirSync(dir, { recursive: true })
    const args = ['pack', `${name}@${version}`, '--silent', '--pack-destination', dir]
    const archive = join(dir, execFileSync('npm', args, { encoding: 'utf8' }).trim())
    const digest = createHash('sha512').update(readFileSync(archive)).digest('base64')
    if (digest !== sha512) throw new TypeError(`${name}@${version} is not the package it was`)
    execFileSync('tar', ['xzf', archive, '-C', dir])
  }
  return JSON.parse(readFileSync(path, 'utf8').replace(/^\ufeff/, ''))
}
