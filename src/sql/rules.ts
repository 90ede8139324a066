// Rules of the planner, each of which makes a query cheaper without changing its answer and can be switched off by its name.

export const sqlRules = {
  'partial-aggregation': 'aggregates the rows of each task before the exchange',
  'partial-distinct': 'drops the duplicates of each task before the exchange',
  'top-n': 'keeps the first rows of ORDER BY with LIMIT in each task',
  'limit-tasks': 'takes no more rows from a task than a LIMIT needs',
  'broadcast-joins': 'sends a small side of a join to each task of the other side',
  'join-order': 'joins first what gives the fewest rows, and no side without a condition while another one has one',
  'reuse-partitions': 'leaves rows where they are when an earlier exchange has brought equal keys together',
  'small-tables': 'reads a table of known small size as a whole in each task',
  'window-partitions': 'computes window functions for each PARTITION BY in the task of its partition',
  'set-partitions': 'computes INTERSECT and EXCEPT in the partitions of their rows',
} as const

export type SqlRule = keyof typeof sqlRules
export const sqlRuleNames = Object.keys(sqlRules) as readonly SqlRule[]
