// Mutants of a source file, derived from its syntax tree: one operator, constant, condition, `await` or statement at a time. Pure: text
// in, mutants out, in the order of the text. Log lines, assertions and error texts are not mutated, because no caller can observe
// them.

import { parseSync, visitorKeys } from 'oxc-parser'

export interface Mutant {
  /** Relative to the project. */
  readonly file: string
  /** Offsets into the text, in UTF-16 code units. */
  readonly start: number
  readonly end: number
  readonly replacement: string
  /** Counted from 1. */
  readonly line: number
  /** The innermost function that holds it; -1: the module itself. See `functionsOf`. */
  readonly inside: number
  readonly original: string
}

/** Start of a function's own code: after the brace of its body, or around the expression that is its body. */
export interface FunctionBody {
  readonly start: number
  readonly end: number
  readonly block: boolean
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

interface Change { readonly start: number; readonly end: number; readonly replacement: string }

const binary: Readonly<Record<string, string>> = {
  '<': '<=', '<=': '<', '>': '>=', '>=': '>', '===': '!==', '!==': '===', '==': '!=', '!=': '==',
  '+': '-', '-': '+', '*': '/', '/': '*', '%': '*', '&': '|', '|': '&', '^': '&', '<<': '>>', '>>': '<<', '>>>': '<<',
}
const assignment: Readonly<Record<string, string>> = {
  '+=': '-=', '-=': '+=', '*=': '/=', '|=': '&=', '&=': '|=', '??=': '=', '||=': '&&=', '&&=': '||=',
}
const methods = new Map(Object.entries({
  some: 'every', every: 'some', min: 'max', max: 'min', startsWith: 'endsWith', endsWith: 'startsWith', floor: 'ceil', ceil: 'floor',
  push: 'unshift', shift: 'pop', pop: 'shift', indexOf: 'lastIndexOf', lastIndexOf: 'indexOf', all: 'allSettled',
}))
/** Calls whose effect no caller observes. */
const silent = /^(?:assert|log|this\.#?log|[\w.#]+\.log)(?:\.(?:debug|info|warn|error))?$/

const functionTypes = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])

export interface Parsed {
  readonly mutants: readonly Mutant[]
  readonly functions: readonly FunctionBody[]
}

export function mutantsOf(file: string, text: string): Parsed {
  const { program, errors } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]!.message}`)
  const mutants: Mutant[] = []
  const functions: FunctionBody[] = []
  const lines = lineStarts(text)
  const source = (node: Node): string => text.slice(node.start, node.end)

  const visit = (node: Node, inside: number): void => {
    if (node.type.startsWith('TS') && !('expression' in node)) return
    if (node.type === 'ImportDeclaration' || node.type === 'ThrowStatement' || node.type === 'TemplateLiteral') return
    if (node.type === 'CallExpression' && silent.test(source(node['callee'] as Node))) return
    let within = inside
    if (functionTypes.has(node.type) && node['body']) {
      const body = node['body'] as Node
      const block = body.type === 'BlockStatement'
      within = functions.push(block ? { start: body.start + 1, end: body.end - 1, block } : { start: body.start, end: body.end, block }) - 1
    }
    for (const { start, end, replacement } of changesOf(node, source)) {
      mutants.push({ file, start, end, replacement, line: lineAt(lines, start), inside, original: text.slice(start, end) })
    }
    for (const key of visitorKeys[node.type] ?? []) {
      if (key === 'key' && node['computed'] !== true) continue
      const child = node[key] as Node | (Node | null)[] | null | undefined
      for (const each of Array.isArray(child) ? child : [child]) if (each) visit(each, within)
    }
  }
  visit(program as unknown as Node, -1)
  return { mutants: mutants.sort((a, b) => a.start - b.start || a.end - b.end), functions }
}

function* changesOf(node: Node, source: (node: Node) => string): Iterable<Change> {
  const whole = (replacement: string): Change => ({ start: node.start, end: node.end, replacement })
  switch (node.type) {
    case 'BinaryExpression': {
      const [left, right] = [node['left'] as Node, node['right'] as Node]
      const other = binary[node['operator'] as string]
      const joins = node['operator'] === '+' && [left, right].some(isText)
      if (other !== undefined && !joins) yield between(left, right, node['operator'] as string, other, source(node), node.start)
      break
    }
    case 'LogicalExpression': {
      const [left, right] = [node['left'] as Node, node['right'] as Node]
      const operator = node['operator'] as string
      if (operator === '??') yield whole(source(left))
      else yield between(left, right, operator, operator === '&&' ? '||' : '&&', source(node), node.start)
      break
    }
    case 'UnaryExpression':
      if (node['operator'] === '!' || node['operator'] === '-') yield whole(source(node['argument'] as Node))
      break
    case 'UpdateExpression':
      yield whole(source(node).replace(/\+\+|--/, sign => (sign === '++' ? '--' : '++')))
      break
    case 'AssignmentExpression': {
      const other = assignment[node['operator'] as string]
      if (other !== undefined)
        yield between(node['left'] as Node, node['right'] as Node, node['operator'] as string, other, source(node), node.start)
      break
    }
    case 'Literal':
      if (typeof node['value'] === 'boolean') yield whole(String(!node['value']))
      else if (typeof node['value'] === 'number') yield whole(String(node['value'] + 1))
      break
    case 'IfStatement':
    case 'ConditionalExpression': {
      const { start, end } = node['test'] as Node
      yield { start, end, replacement: 'true' }
      yield { start, end, replacement: 'false' }
      break
    }
    case 'AwaitExpression':
      yield whole(source(node['argument'] as Node))
      break
    case 'ExpressionStatement': {
      const expression = node['expression'] as Node
      const call =
        expression.type === 'AwaitExpression' || (expression.type === 'UnaryExpression' && expression['operator'] === 'void')
          ? (expression['argument'] as Node)
          : expression
      const calls =
        call.type === 'CallExpression' && (call['callee'] as Node).type !== 'Super' && !silent.test(source(call['callee'] as Node))
      if (calls || expression.type === 'AssignmentExpression') yield whole(';')
      break
    }
    case 'CallExpression': {
      const callee = node['callee'] as Node
      const property = callee.type === 'MemberExpression' && callee['computed'] === false ? callee['property'] as Node : undefined
      const other = property && methods.get(source(property))
      if (property && other !== undefined) yield { start: property.start, end: property.end, replacement: other }
      break
    }
    case 'ReturnStatement':
      if (node['argument'] == null) yield whole(';')
      break
    case 'BreakStatement':
    case 'ContinueStatement':
      if (node['label'] == null) yield whole(';')
      break
  }
}

const isText = (node: Node): boolean => node.type === 'TemplateLiteral' || (node.type === 'Literal' && typeof node['value'] === 'string')

/** The operator between two operands, which may stand in parentheses or behind a comment. */
function between(left: Node, right: Node, operator: string, replacement: string, text: string, offset: number): Change {
  const at = offset + text.slice(0, right.start - offset).lastIndexOf(operator)
  if (at < left.end) throw new Error(`no ${operator} between its operands in ${text}`)
  return { start: at, end: at + operator.length, replacement }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

const lineAt = (starts: readonly number[], offset: number): number => {
  let [low, high] = [0, starts.length]
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (starts[middle]! <= offset) low = middle
    else high = middle
  }
  return low + 1
}

export const applied = (text: string, { start, end, replacement }: Change): string => text.slice(0, start) + replacement + text.slice(end)
