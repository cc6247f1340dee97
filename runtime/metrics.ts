import { Counter, Gauge, Registry } from 'prom-client'

/** What a program tells Prometheus about itself (text format 0.0.4). */
export interface Metrics {
  /** A value that is read at each scrape; `read` gives one entry for each set of labels, none for what is not known. */
  gauge<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    read: () => readonly { readonly labels: Record<L, string>; readonly value: number }[],
  ): void
  /** @returns a function that counts one more. */
  counter<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
  ): (labels: Record<L, string>) => void
  readonly contentType: string
  text(): Promise<string>
}

/** @param prefix of every name: `spean_gateway_`. */
export function createMetrics(prefix: string): Metrics {
  const registry = new Registry()
  const registers = [registry]
  return {
    gauge: (name, help, labelNames, read) => {
      const gauge = new Gauge({
        name: prefix + name,
        help,
        labelNames,
        registers,
        collect: () => {
          gauge.reset()
          if (labelNames.length === 0) gauge.remove() // else it is 0 again
          for (const { labels, value } of read()) gauge.set(labels, value)
        },
      })
    },
    counter: (name, help, labelNames) => {
      const counter = new Counter({ name: prefix + name, help, labelNames, registers })
      return (labels) => counter.inc(labels)
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  }
}
