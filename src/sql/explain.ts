// Text of a plan for people: stages in their order, their inputs and outputs, and why a part is gathered.

import type { QueryInput, QueryOutput, QueryPlan, QueryStage } from './query.ts'

interface ExplainOptions {
  /** Also the SQL of each stage. */
  readonly sql?: boolean
  /** Numbers of tasks where they are known, and more lines for each stage. */
  readonly stages?: readonly { readonly tasks: number; readonly lines: readonly string[] }[]
}

export function explainQuery(plan: QueryPlan, { sql = false, stages }: ExplainOptions = {}): string {
  const lines = plan.stages.flatMap((stage, i) => [
    `stage ${i}: ${stage.name || 'rows'} (${stages ? countedText(stage, stages[i]!.tasks) : tasksText[stage.tasks]})`,
    ...stage.inputs.map(input => `  reads ${inputText(input, plan)}`),
    ...(sql ? [`  runs ${stage.sql}`] : []),
    `  ${outputText(stage.output)}: ${stage.columns.map(({ name, type }) => `${name} ${type}`).join(', ')}`,
    ...plan.gathered.filter(each => each.stage === i).map(({ reason }) => `  gathered: ${reason}`),
    ...(stages?.[i]?.lines ?? []).map(line => `  ${line}`),
  ])
  return `${lines.join('\n')}\n`
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

function inputText({ view, from, how }: QueryInput, plan: QueryPlan): string {
  const what =
    from.kind === 'table'
      ? `table ${from.table} (${from.columns.join(', ')})`
      : `stage ${from.stage} (${plan.stages[from.stage]!.name || 'rows'})`
  return `${what} as ${view}, ${how === 'all' ? 'all rows' : `by ${how}`}`
}

function outputText(output: QueryOutput): string {
  switch (output.kind) {
    case 'exchange':
      return output.hash === undefined ? 'writes partitions' : 'writes partitions by hash'
    case 'single':
      return 'writes one partition'
    case 'result':
      return output.ordered ? 'gives the result in order' : 'gives the result'
  }
}
