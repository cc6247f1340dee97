import { existsSync, readFileSync } from 'node:fs'
import { formatId } from '../../protocol/identifiers.ts'
import { ConfigError } from '../../runtime/config.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import { CLASSIFICATIONS, type Classification } from '../../exchange-log/config.ts'
import type { CatalogueView } from '../catalogue-view.ts'

/**
 * How services are classified, those included that have left the catalogue: what was kept of their messages is
 * still to be erased in time.
 */
export interface Classifications {
  of(service: string): Classification | undefined
  /** Takes over what a snapshot says. */
  learn(snapshot: Pick<CatalogueView, 'clients' | 'servicesOf'>): void
}

/** @throws ConfigError when the file is there, and cannot be read. */
export function openClassifications(file: string): Classifications {
  const known = new Map(existsSync(file) ? read(file) : [])
  return {
    of: (service) => known.get(service),
    learn: (snapshot) => {
      const changes = allServices(snapshot).filter(
        ([id, classification]) => known.get(id) !== classification,
      )
      if (changes.length === 0) return
      for (const [id, classification] of changes) {
        if (classification === undefined) known.delete(id)
        else known.set(id, classification)
      }
      writeFileAtomically(file, `${JSON.stringify(Object.fromEntries(known), undefined, 1)}\n`)
    },
  }
}

function allServices({
  clients,
  servicesOf,
}: Pick<CatalogueView, 'clients' | 'servicesOf'>): [string, Classification | undefined][] {
  return clients().flatMap(({ id }) => {
    const subsystem = formatId(id)
    return (servicesOf(subsystem) ?? []).map(
      ({ code, classification }): [string, Classification | undefined] => [
        `${subsystem}/${code}`,
        CLASSIFICATIONS.find((one) => one === classification),
      ],
    )
  })
}

function read(file: string): [string, Classification][] {
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Classification>
    return Object.entries(found)
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be read; remove it, and the catalogue tells it again`, {
      cause,
    })
  }
}
