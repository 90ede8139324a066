// Text of a plan for people: a tree that begins with the result. Below each stage are the tables that it reads, and the exchanges, each
// with the stage that writes it. A stage that several others read is shown whole where it occurs first.

import type { QueryColumn, QueryInput, QueryOutput, QueryPlan, QueryStage } from './query.ts'

interface ExplainOptions {
  /** Also the SQL of each stage. */
  readonly sql?: boolean
  /** Numbers of tasks where they are known, and more lines for each stage. */
  readonly stages?: readonly { readonly tasks: number; readonly lines: readonly string[] }[]
}

interface TreeNode {
  readonly title: string
  /** More lines about it. */
  readonly lines: readonly string[]
  readonly inputs: readonly TreeNode[]
}

export function explainQuery(plan: QueryPlan, options: ExplainOptions = {}): string {
  const last = plan.stages.length - 1
  const { output } = plan.stages[last]!
  const isOrdered = output.kind === 'result' && output.ordered
  const inputs = [stageNode(last, { plan, options, shown: new Set() })]
  return textOf({ title: `${isOrdered ? 'result in order' : 'result'}: ${columnsText(plan.columns)}`, lines: [], inputs })
}

interface Walk { readonly plan: QueryPlan; readonly options: ExplainOptions; readonly shown: Set<number> }

function stageNode(at: number, walk: Walk): TreeNode {
  const { plan, options: { sql = false, stages }, shown } = walk
  const stage = plan.stages[at]!
  const title = `stage ${at}: ${stage.name || 'rows'}`
  if (shown.has(at)) return { title: `${title}, shown above`, lines: [], inputs: [] }
  shown.add(at)
  return {
    title: `${title} (${stages ? countedText(stage, stages[at]!.tasks) : tasksText[stage.tasks]})`,
    lines: [
      ...plan.gathered.filter(each => each.stage === at).map(({ reason }) => `gathered: ${reason}`),
      ...stages?.[at]?.lines ?? [],
      ...sql ? [`runs ${stage.sql}`] : [],
    ],
    inputs: stage.inputs.map(input => inputNode(input, stage, walk)),
  }
}

function inputNode(input: QueryInput, reader: QueryStage, walk: Walk): TreeNode {
  const as = walk.options.sql ? ` as ${input.view}` : ''
  const { from } = input
  if (from.kind === 'table') {
    const how = input.how === 'split' ? 'a split in each task' : 'all rows'
    return { title: `table ${from.table} (${from.columns.join(', ')})${as}, ${how}`, lines: [], inputs: [] }
  }
  const { output, columns } = walk.plan.stages[from.stage]!
  const title = `${exchangeText(input, reader, output)}${as}: ${columnsText(columns)}`
  return { title, lines: [], inputs: [stageNode(from.stage, walk)] }
}

/** Names the way by which the rows of a stage come to the tasks of its reader. */
export function exchangeText({ how }: Pick<QueryInput, 'how'>, reader: Pick<QueryStage, 'tasks'>, output: QueryOutput): string {
  if (how === 'partition') return output.kind === 'exchange' && output.hash === undefined ? 'exchange' : 'exchange by hash'
  return reader.tasks === 'one' ? 'gather in one task' : 'broadcast to all tasks'
}

const columnsText = (columns: readonly QueryColumn[]): string => columns.map(({ name, type }) => `${name} ${type}`).join(', ')

/** `rest`: what stands before all of its lines but the first. */
function textOf({ title, lines, inputs }: TreeNode, first = '', rest = ''): string {
  const below = inputs.map((input, i) => {
    const isLast = i === inputs.length - 1
    return textOf(input, `${rest}${isLast ? '└─ ' : '├─ '}`, `${rest}${isLast ? '   ' : '│  '}`)
  })
  const bar = inputs.length > 0 ? '│  ' : '   '
  const own = lines.flatMap(line => line.split('\n')).map(line => `${rest}${bar}${line}\n`)
  return `${first}${title}\n${own.join('')}${below.join('')}`
}

const tasksText: Readonly<Record<QueryStage['tasks'], string>> = {
  split: 'a task per split',
  partition: 'a task per partition',
  one: 'one task',
}

function countedText({ tasks }: QueryStage, count: number): string {
  if (tasks === 'one') return tasksText.one
  return `${count} ${count === 1 ? 'task' : 'tasks'}, one for each ${tasks}`
}
