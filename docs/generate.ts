/** Makes the generated pages of docs/: node docs/generate.ts [--check] */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandPage } from './generate/command.ts'
import { configurationPage } from './generate/configuration.ts'
import { errorCodesPage } from './generate/error-codes.ts'
import { metricsPage } from './generate/metrics.ts'

const ROOT = join(import.meta.dirname, '..')
const NOTE = '<!-- Made by docs/generate.ts: do not edit. `npm run docs` makes it anew. -->\n\n'

const pages = new Map([
  ['docs/error-codes.md', errorCodesPage()],
  ['docs/configuration.md', await configurationPage(ROOT)],
  ['docs/metrics.md', metricsPage()],
  ['docs/command.md', commandPage()],
])
const stale = [...pages].filter(([file, text]) => {
  const path = join(ROOT, file)
  return !existsSync(path) || readFileSync(path, 'utf8') !== NOTE + text
})
if (process.argv.includes('--check')) {
  for (const [file] of stale) console.error(`${file} is stale; run: npm run docs`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const [file, text] of stale) {
    writeFileSync(join(ROOT, file), NOTE + text)
    console.log(`wrote ${file}`)
  }
}
