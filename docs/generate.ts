/** Makes the generated pages of docs/: node docs/generate.ts [--check] */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { apiDescriptions, apiPage } from './generate/api.ts'
import { commandPage } from './generate/command.ts'
import { configurationPage } from './generate/configuration.ts'
import { errorCodesPage } from './generate/error-codes.ts'
import { metricsPage } from './generate/metrics.ts'

const ROOT = join(import.meta.dirname, '..')
const NOTE = '<!-- Made by docs/generate.ts: do not edit. `npm run docs` makes it anew. -->\n\n'

const pages = new Map([
  ['docs/error-codes.md', NOTE + errorCodesPage()],
  ['docs/configuration.md', NOTE + (await configurationPage(ROOT))],
  ['docs/metrics.md', NOTE + metricsPage()],
  ['docs/command.md', NOTE + commandPage()],
  ['docs/api.md', NOTE + apiPage()],
  ...apiDescriptions(),
])
const stale = [...pages].filter(([file, text]) => {
  const path = join(ROOT, file)
  return !existsSync(path) || readFileSync(path, 'utf8') !== text
})
if (process.argv.includes('--check')) {
  for (const [file] of stale) console.error(`${file} is stale; run: npm run docs`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const [file, text] of stale) {
    mkdirSync(dirname(join(ROOT, file)), { recursive: true })
    writeFileSync(join(ROOT, file), text)
    console.log(`wrote ${file}`)
  }
}
