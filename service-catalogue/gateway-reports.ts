import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ApiRequest } from '../runtime/admin-api.ts'

/** How far a gateway said that it is, with its certificate (protocol/README.md §7.10). */
export interface GatewayReport {
  readonly gateway: string
  /** Number of its anchor. */
  readonly anchor: number
  /** The highest number of a snapshot that it took; 0 for none. */
  readonly snapshot: number
  readonly at: Date
}
/** What gateways have had and this catalogue has not: it was restored from a backup. */
export interface Behind {
  readonly snapshot?: number
  readonly anchor?: number
  /** Who said so. */
  readonly gateways: readonly string[]
}

/**
 * So far above what this catalogue handed out its numbers may go on: a slip must not leave gateways without any, as
 * they never go back. What is further was not handed out by a copy of it.
 */
export const FARTHEST_JUMP = 1_000_000_000

/** What gateways said since the start; they say it again and again. */
export interface GatewayReports {
  hear(gateway: string, headers: ApiRequest['headers']): void
  of(gateway: string): GatewayReport | undefined
  /** By those that are still listed. */
  behind(): Behind | undefined
}

export function createGatewayReports(deps: {
  /** What this catalogue has handed out itself. */
  readonly own: () => { readonly snapshot: number; readonly anchor: number }
  readonly isListed: (gateway: string) => boolean
  readonly clock: Clock
  readonly logger: Logger
}): GatewayReports {
  const { own, isListed, clock, logger } = deps
  const reports = new Map<string, GatewayReport>()
  return {
    hear: (gateway, headers) => {
      const anchor = readNumber(headers['spean-anchor'])
      const snapshot = readNumber(headers['spean-snapshot'])
      if (anchor === undefined || snapshot === undefined) return // one of an earlier version
      const before = reports.get(gateway)
      reports.set(gateway, { gateway, anchor, snapshot, at: clock() })
      const mine = own()
      if (snapshot <= mine.snapshot && anchor <= mine.anchor) return
      if (before?.snapshot === snapshot && before.anchor === anchor) return
      logger.warn(
        { gateway, has: { snapshot, anchor }, own: mine },
        'a gateway has had more than this catalogue hands out, and refuses it: was it restored from a backup? docs/anchor.md',
      )
    },
    of: (gateway) => reports.get(gateway),
    behind: () => {
      const mine = own()
      const ahead = [...reports.values()].filter(
        ({ gateway, snapshot, anchor }) =>
          (snapshot > mine.snapshot || anchor > mine.anchor) && isListed(gateway),
      )
      if (ahead.length === 0) return undefined
      const snapshot = Math.max(...ahead.map((report) => report.snapshot))
      const anchor = Math.max(...ahead.map((report) => report.anchor))
      return {
        ...(snapshot > mine.snapshot ? { snapshot } : {}),
        ...(anchor > mine.anchor ? { anchor } : {}),
        gateways: ahead.map(({ gateway }) => gateway),
      }
    },
  }
}

function readNumber(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,16}$/.test(header)) return undefined
  const number = Number(header)
  return Number.isSafeInteger(number) ? number : undefined
}
