import { ConfigError } from '../../runtime/config.ts'

/**
 * Reads the doc comments of an interface's members from its source, and those of the interfaces in it.
 *
 * @param source has the interfaces that members are of, too.
 * @param name of an interface whose members stand one to a line, as Prettier leaves them.
 * @returns by path: `timeouts`, `timeouts.connectMs`.
 * @throws ConfigError when the source has no such interface.
 */
export function docComments(source: string, name: string): Map<string, string> {
  const lines = source.split('\n')
  const declaration = (of: string): number => lines.indexOf(`export interface ${of} {`)
  const begin = declaration(name)
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
      const type = /^(\w+)(\[\])?$/.exec(member[2]!)?.[1]
      if (type === undefined || declaration(type) < 0) continue
      for (const [inner, told] of docComments(source, type)) comments.set(`${path}.${inner}`, told)
    } else if (text.startsWith('}')) {
      if (parents.pop() === undefined) break
    }
  }
  return comments
}
