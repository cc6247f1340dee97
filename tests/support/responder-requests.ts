import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'

/** Counts the requests that OCSP responders in this process get, whoever asks. */
export function countOcspRequests(): Disposable & { readonly count: number } {
  let count = 0
  const onRequest = (message: unknown): void => {
    const { request } = message as { request: IncomingMessage }
    const isAsked = request.url?.startsWith('/ocsp') === true
    if (isAsked) count += 1
  }
  subscribe('http.server.request.start', onRequest)
  return {
    get count() {
      return count
    },
    [Symbol.dispose]: () => void unsubscribe('http.server.request.start', onRequest),
  }
}
