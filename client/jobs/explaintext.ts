// Text of an explanation (explain.ts).

import { resourcesText } from '../../src/plan/describe.ts'
import type { Explanation } from './explain.ts'

const width = 80

/** The explanation for people, in lines of at most 80 columns, but for long words. */
export function explanationLines({ plan, rules: applied, joins, stages, goesOn }: Explanation): string[] {
  const section = (title: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', title, ...lines])
  return [
    ...goesOn ? [...folded('', 'This is the first step of the program. Its others depend on results, and are planned as it runs.'), ''] : [],
    'plan',
    ...plan.flatMap(({ text, inputs }, i) => {
      const isNext = inputs.length === 0 || (inputs.length === 1 && inputs[0] === i - 1)
      return folded(`  ${String(i).padStart(3)} `, isNext ? text : `${text}, of ${inputs.join(' and ')}`)
    }),
    ...section('rules', applied.flatMap(({ rule, about, nodes }) => folded('  ', `${rule}: ${about} (${nodes.join('; ')})`))),
    ...section('joins', joins.flatMap(({ join, by, why }) => folded('  ', `${join}: ${by}; ${why}`))),
    ...section('stages', stages.flatMap(({ reads, tasks, steps, output, why, mayAdapt, cpu, memoryBytes }, i) => [
      ...folded(`  ${String(i).padStart(3)} `, `${tasks} ${tasks === 1 ? 'task' : 'tasks'} over ${reads.join('; ')}`),
      ...steps.flatMap(step => folded('      ', step)),
      ...folded('      → ', why === undefined ? output : `${output}: ${why}`),
      ...cpu === undefined && memoryBytes === undefined ? [] : folded('      ', `each task has ${resourcesText({ cpu, memoryBytes })}`),
      ...mayAdapt ? folded('      ', `adaptive: ${mayAdapt.join(', ')}`) : [],
    ])),
  ]
}

/** Lines of the text behind a head; the following lines are indented as far. */
function folded(head: string, text: string): string[] {
  const lines: string[] = []
  let line = head
  let isEmpty = true
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ' '.repeat(head.length + (head !== '' && head.trim() === '' ? 2 : 0))
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}
