import { join } from 'node:path'
import { openSqliteValidationStore } from '../../exchange-log/validation-store-sqlite.ts'
import { temporaryFolder } from '../pki/support.ts'
import { describeValidationStore } from './validation-store.contract.ts'

describeValidationStore('SQLite', async () => {
  const file = join(temporaryFolder(), 'state', 'log-validation.db')
  return async () => openSqliteValidationStore(file)
})
