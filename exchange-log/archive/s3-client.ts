/** The few operations of S3 (AWS Signature Version 4) that archives need. */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { AwsV4Signer } from 'aws4fetch'
import { Agent, request, type Dispatcher } from 'undici'
import { ConfigError } from '../../runtime/config.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import { readPrivateFile } from '../../runtime/private-file.ts'
import { ArchiveError } from './archive-errors.ts'
import type { S3Config } from './s3-config.ts'

export interface S3Client extends AsyncDisposable {
  /** Stores an object; the store compares it with its SHA-256. */
  put(key: string, bytes: Buffer, signal?: AbortSignal): Promise<void>
  /** Begins an object of several parts. @returns its upload id. */
  begin(key: string, signal?: AbortSignal): Promise<string>
  /** @param part counts from 1. @returns the part's ETag. */
  putPart(upload: Upload, part: number, bytes: Buffer, signal?: AbortSignal): Promise<string>
  /** Makes the parts an object. */
  complete(upload: Upload, etags: readonly string[], signal?: AbortSignal): Promise<void>
  /** Forgets what was uploaded. */
  abandon(upload: Upload): Promise<void>
  /** @returns undefined when there is no such object. */
  get(key: string, signal?: AbortSignal): Promise<Readable | undefined>
}
export interface Upload {
  readonly key: string
  readonly id: string
}

const CONNECT_MS = 10_000
const ANSWER_MS = 120_000
const MAX_ANSWER_BYTES = 1_048_576
/** Pauses before another try. */
const AGAIN_MS = [500, 2000]

/** @throws ConfigError when `caFile` cannot be read; what its methods throw is an ArchiveError. */
export function openS3Client(config: S3Config): S3Client {
  const { endpoint, bucket } = config
  const ca = config.caFile === undefined ? undefined : readCa(config.caFile)
  const connect = { timeout: CONNECT_MS, ...(ca === undefined ? {} : { ca }) }
  const agent = new Agent({ connect, headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS })

  const once = async (question: Question): Promise<Dispatcher.ResponseData> => {
    const { method, key, query = '', bytes, signal } = question
    const signed = await new AwsV4Signer({
      ...{ method, url: `${endpoint}/${bucket}/${key}${query}` },
      headers: { 'x-amz-content-sha256': hash('sha256', bytes ?? '', 'hex') },
      ...readCredentials(config.credentialsFile),
      ...{ service: 's3', region: config.region },
    }).sign()
    return request(signed.url, {
      method,
      headers: Object.fromEntries(signed.headers),
      dispatcher: agent,
      ...(bytes === undefined ? {} : { body: bytes }),
      ...(signal === undefined ? {} : { signal }),
    })
  }
  /** Whatever goes wrong on the way, or at a store that is busy, is tried again: each of these may be done twice. */
  const ask = async (question: Question): Promise<Dispatcher.ResponseData> => {
    for (const wait of [...AGAIN_MS, undefined]) {
      try {
        const answer = await once(question)
        if (answer.statusCode < 400) return answer
        throw await refusalOf(endpoint, answer)
      } catch (error) {
        if (question.signal?.aborted === true) throw error
        const fault = asUnavailable(endpoint, error)
        if (!isTemporary(fault) || wait === undefined) throw fault
        await pause(wait, undefined, { signal: question.signal })
      }
    }
    throw new TypeError('not reached: the last try returns or throws')
  }
  const text = async (question: Question): Promise<string> => {
    const { body } = await ask(question)
    return (await readAtMost(body, MAX_ANSWER_BYTES)).toString('utf8')
  }
  const at = ({ key, id }: Upload, more = ''): Pick<Question, 'key' | 'query'> => ({
    key,
    query: `?${more}uploadId=${encodeURIComponent(id)}`,
  })

  return {
    put: async (key, bytes, signal) => {
      await text({ method: 'PUT', key, bytes, signal })
    },
    begin: async (key, signal) => {
      const answer = await text({ method: 'POST', key, query: '?uploads=', signal })
      const id = /<UploadId>([^<&]+)<\/UploadId>/.exec(answer)?.[1]
      if (id !== undefined) return id
      throw new ArchiveError('archive.unavailable', `${endpoint} gives no upload id`)
    },
    putPart: async (upload, part, bytes, signal) => {
      const query = at(upload, `partNumber=${part}&`)
      const { headers, body } = await ask({ method: 'PUT', ...query, bytes, signal })
      await body.dump()
      const { etag } = headers
      if (typeof etag === 'string' && /^"?[\w-]+"?$/.test(etag)) return etag
      throw new ArchiveError('archive.unavailable', `${endpoint} gives no ETag for a part`)
    },
    complete: async (upload, etags, signal) => {
      const parts = etags.map(
        (etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
      )
      const xml = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
      const answer = await text({ method: 'POST', ...at(upload), bytes: Buffer.from(xml), signal })
      // It begins to answer before it knows: status 200 may be followed by an error.
      if (!answer.includes('<CompleteMultipartUploadResult')) {
        const why = codeIn(answer) ?? 'no result'
        throw new ArchiveError('archive.unavailable', `${endpoint} does not join parts: ${why}`)
      }
    },
    abandon: async (upload) => {
      await text({ method: 'DELETE', ...at(upload) })
    },
    get: async (key, signal) => {
      try {
        return (await ask({ method: 'GET', key, signal })).body
      } catch (error) {
        if (error instanceof ArchiveError && error.code === 'archive.missing') return undefined
        throw error
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

interface Question {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  readonly key: string
  readonly query?: string | undefined
  readonly bytes?: Buffer | undefined
  readonly signal?: AbortSignal | undefined
}

async function refusalOf(
  endpoint: string,
  { statusCode, body }: Dispatcher.ResponseData,
): Promise<ArchiveError> {
  const text = (await readAtMost(body, MAX_ANSWER_BYTES)).toString('utf8')
  const named = codeIn(text)
  const said = `${endpoint} answers with ${named ?? `HTTP status ${statusCode}`}`
  if (named === 'NoSuchKey') return new ArchiveError('archive.missing', said)
  const isTheirs = statusCode >= 500 || statusCode === 429
  return new ArchiveError(isTheirs ? 'archive.unavailable' : 'archive.refused', said)
}

function codeIn(xml: string): string | undefined {
  return /<Code>([A-Za-z0-9.]{1,100})<\/Code>/.exec(xml)?.[1]
}

/** The error may name a host, never a key. */
function asUnavailable(endpoint: string, cause: unknown): unknown {
  if (cause instanceof ArchiveError || cause instanceof ConfigError) return cause
  if (!(cause instanceof Error)) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const why = `${endpoint} does not answer (${typeof code === 'string' ? code : message})`
  return new ArchiveError('archive.unavailable', why, { cause })
}

const isTemporary = (fault: unknown): boolean =>
  fault instanceof ArchiveError && fault.code === 'archive.unavailable'

interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** @throws ArchiveError */
function readCredentials(file: string): Credentials {
  try {
    return parseCredentials(readPrivateFile(file), file)
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause
    throw new ArchiveError('archive.refused', cause.message, { cause })
  }
}

/** The form of `~/.aws/credentials`, with one profile. @throws ConfigError */
export function parseCredentials(text: string, file: string): Credentials {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*(aws_\w+)\s*=\s*(\S+)\s*$/.exec(line) ?? []
    if (name === undefined || value === undefined) continue
    if (values.has(name)) throw new ConfigError(`${file}: has ${name} twice; give one profile`)
    values.set(name, value)
  }
  const accessKeyId = values.get('aws_access_key_id')
  const secretAccessKey = values.get('aws_secret_access_key')
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new ConfigError(`${file}: has no aws_access_key_id or no aws_secret_access_key`)
  }
  const sessionToken = values.get('aws_session_token')
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be read (${code})`, { cause })
  }
}
