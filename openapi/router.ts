/** A path template taken apart: what a segment must be, compared without regular expressions. */
type Piece = { readonly text: string } | { readonly parameter: string }

interface Node<T> {
  readonly literals: Map<string, Node<T>>
  /** With more letters first. */
  readonly templates: { readonly pieces: readonly Piece[]; readonly node: Node<T> }[]
  route: Route<T> | undefined
}
interface Route<T> {
  readonly template: string
  readonly value: T
  /** Of the path parameters, in the order of the path; templates that share segments may call them otherwise. */
  readonly names: readonly string[]
}

export interface RouteMatch<T> {
  readonly template: string
  readonly value: T
  /** Decoded values of the path parameters. */
  readonly parameters: ReadonlyMap<string, string>
}

export interface Router<T> {
  /**
   * The template that a path belongs to: by decoded segments, one of letters before one with parameters.
   *
   * @param segments decoded, of one reading (protocol/README.md §3.5).
   */
  find(segments: readonly string[]): RouteMatch<T> | undefined
}

/** @returns also templates that no path can be told from: each names the one before it. */
export function createRouter<T>(paths: Iterable<readonly [template: string, value: T]>): {
  readonly router: Router<T>
  readonly conflicts: ReadonlyMap<string, string>
} {
  const root = newNode<T>()
  const conflicts = new Map<string, string>()
  for (const [template, value] of paths) {
    let node = root
    const segments = templateSegments(template).map(piecesOf)
    for (const pieces of segments) node = childOf(node, pieces)
    const names = segments.flat().flatMap((piece) => ('parameter' in piece ? piece.parameter : []))
    if (node.route) conflicts.set(template, node.route.template)
    else node.route = { template, value, names }
  }
  return { router: { find: (segments) => find(root, segments, []) }, conflicts }
}

const newNode = <T>(): Node<T> => ({ literals: new Map(), templates: [], route: undefined })

function templateSegments(template: string): string[] {
  return template === '/' || template === '' ? [] : template.slice(1).split('/')
}

function childOf<T>(node: Node<T>, pieces: readonly Piece[]): Node<T> {
  if (pieces.every((piece) => 'text' in piece)) {
    const text = pieces.map((piece) => piece.text).join('')
    const known = node.literals.get(text) ?? newNode<T>()
    node.literals.set(text, known)
    return known
  }
  const shape = shapeOf(pieces)
  const known = node.templates.find((one) => shapeOf(one.pieces) === shape)
  if (known) return known.node
  const made = { pieces, node: newNode<T>() }
  node.templates.push(made)
  node.templates.sort((a, b) => letters(b.pieces) - letters(a.pieces))
  return made.node
}

/** `{id}.json` → parameter, text. Texts are percent-decoded: they are compared with decoded segments. */
function piecesOf(segment: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  while (at < segment.length) {
    const open = segment.indexOf('{', at)
    const close = open < 0 ? -1 : segment.indexOf('}', open)
    if (close < 0) break
    if (open > at) pieces.push({ text: decodeURIComponent(segment.slice(at, open)) })
    pieces.push({ parameter: segment.slice(open + 1, close) })
    at = close + 1
  }
  if (at < segment.length || pieces.length === 0) {
    pieces.push({ text: decodeURIComponent(segment.slice(at)) })
  }
  return pieces
}

const shapeOf = (pieces: readonly Piece[]): string =>
  JSON.stringify(pieces.map((piece) => ('text' in piece ? piece.text : 0)))
const letters = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, piece) => sum + ('text' in piece ? piece.text.length : 0), 0)

function find<T>(
  node: Node<T>,
  segments: readonly string[],
  values: readonly string[],
  depth = 0,
): RouteMatch<T> | undefined {
  if (depth === segments.length) {
    if (node.route === undefined) return undefined
    const { template, value, names } = node.route
    return { template, value, parameters: new Map(names.map((name, i) => [name, values[i]!])) }
  }
  const segment = segments[depth]!
  const literal = node.literals.get(segment)
  const found = literal && find(literal, segments, values, depth + 1)
  if (found) return found
  for (const { pieces, node: next } of node.templates) {
    const taken = take(pieces, segment)
    const deeper = taken && find(next, segments, [...values, ...taken], depth + 1)
    if (deeper) return deeper
  }
  return undefined
}

/** Each parameter takes what stands before the next text, one character at least; the last all the rest. */
function take(pieces: readonly Piece[], segment: string): string[] | undefined {
  const values: string[] = []
  let at = 0
  for (const [i, piece] of pieces.entries()) {
    if ('text' in piece) {
      if (!segment.startsWith(piece.text, at)) return undefined
      at += piece.text.length
      continue
    }
    const next = pieces[i + 1]
    const isLast = i + 2 === pieces.length
    let end = segment.length
    if (next && 'text' in next) {
      end = isLast ? segment.length - next.text.length : segment.indexOf(next.text, at + 1)
    }
    if (end <= at) return undefined
    values.push(segment.slice(at, end))
    at = end
  }
  return at === segment.length ? values : undefined
}
