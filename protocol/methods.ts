import { ExchangeError } from './errors.ts'

/** PR-REST §4.1 and RFC 9110 §9. */
export const METHODS = [
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'TRACE',
] as const
export type Method = (typeof METHODS)[number]

/** @throws ExchangeError `request.method-unsupported` (405). */
export function parseMethod(method: string | undefined): Method {
  const known = METHODS.find((candidate) => candidate === method)
  if (known) return known
  throw new ExchangeError('request.method-unsupported', `${method ?? 'none'} is not supported`)
}

/** Services that every gateway answers itself (X-Road PR-META, PR-MREST); no grant is needed. */
export const METADATA_SERVICES = ['listMethods', 'allowedMethods', 'getOpenAPI'] as const
export type MetadataService = (typeof METADATA_SERVICES)[number]

export function isMetadataService(code: string): code is MetadataService {
  return METADATA_SERVICES.some((known) => known === code)
}
