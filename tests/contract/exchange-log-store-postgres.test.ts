import { afterAll, beforeAll } from 'vitest'
import { ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { describeLogContent } from './exchange-log-content.contract.ts'
import { describeLogFilters } from './exchange-log-filters.contract.ts'
import { describeLogOnce } from './exchange-log-once.contract.ts'
import { describeLogProcesses } from './exchange-log-processes.contract.ts'
import { describeExchangeLogStore, type LogLocation } from './exchange-log-store.contract.ts'
import { openLogAt } from './open-log-at.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const newLog = async (): Promise<LogLocation> => {
  const where = server.url(ROLE, await server.newLog())
  return { open: () => openLogAt(where), where }
}
describeExchangeLogStore('PostgreSQL', newLog)
describeLogFilters('PostgreSQL', newLog)
describeLogContent('PostgreSQL', newLog)
describeLogProcesses('PostgreSQL', newLog)
describeLogOnce('PostgreSQL', newLog)
