import { ConfigError } from '../../runtime/config.ts'

/**
 * Reads the doc comments of an interface's members from its source.
 *
 * @param name of an interface whose members stand one to a line, as Prettier leaves them.
 * @returns by path: `timeouts`, `timeouts.connectMs`.
 * @throws ConfigError when the source has no such interface.
 */
export function docComments(source: string, name: string): Map<string, string> {
  const lines = source.split('\n')
  const begin = lines.indexOf(`export interface ${name} {`)
  if (begin < 0) throw new ConfigError(`there is no interface ${name}`)
  const comments = new Map<string, string>()
  const parents: string[] = []
  let comment: string[] = []
  for (const line of lines.slice(begin + 1)) {
    const text = line.trim()
    const member = /^(\w+)\??: (.*)$/.exec(text)
    if (text.startsWith('/**') || text.startsWith('*')) {
      comment.push(text.replace(/^\/?\*+\/? ?/, '').replace(/ ?\*\/$/, ''))
    } else if (member) {
      const path = [...parents, member[1]].join('.')
      if (comment.length > 0) comments.set(path, comment.join(' ').trim())
      comment = []
      if (member[2] === '{') parents.push(member[1]!)
    } else if (text.startsWith('}')) {
      if (parents.pop() === undefined) break
    }
  }
  return comments
}
