import { join } from 'node:path'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { temporaryFolder } from '../pki/support.ts'
import { describeTreeStore } from './tree-store.contract.ts'

describeTreeStore('SQLite', async () => {
  const file = join(temporaryFolder(), 'state', 'log-tree.db')
  return async () => openSqliteTreeStore(file)
})
