// Names of the tables that a statement reads, and how often, from its tree. The engine's own list is empty where it cannot bind the
// statement without the tables: with JOIN … USING, or COLUMNS over the names of columns.

interface Node { readonly type?: unknown; readonly schema_name?: unknown; readonly table_name?: unknown; readonly cte_map?: CteMap }
interface CteMap { readonly map?: ReadonlyArray<{ readonly key: string; readonly value: unknown }> }

/** Stands among the names for all tables of that schema, which say what tables there are. */
export const informationSchema = 'information_schema'
const isInformation = (schema: unknown): boolean => typeof schema === 'string' && schema.toLowerCase() === informationSchema

/** Each name once, in the order of the tree; not those of table expressions (WITH). */
export function tableNames(tree: unknown): string[] {
  const found = new Set<string>()
  visit(tree, new Set(), found)
  return [...found]
}

/** `defined`: names of the table expressions that can be seen, in lower case. */
function visit(value: unknown, defined: ReadonlySet<string>, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, defined, found)
    return
  }
  if (typeof value !== 'object' || value === null) return
  const { type, schema_name: schema, table_name: name, cte_map: ctes } = value as Node
  if (type === 'BASE_TABLE' && isInformation(schema)) found.add(informationSchema)
  else if (type === 'BASE_TABLE' && typeof name === 'string' && !defined.has(name.toLowerCase())) found.add(name)
  const inside = new Set(defined)
  for (const { key, value: query } of ctes?.map ?? []) {
    // A name is seen by what comes after it, and by itself only if it is recursive: a plain one reads the table of that name.
    const own = isRecursive(query) ? new Set([...inside, key.toLowerCase()]) : inside
    visit(query, own, found)
    inside.add(key.toLowerCase())
  }
  for (const [field, each] of Object.entries(value)) if (field !== 'cte_map') visit(each, inside, found)
}

/** Reads of tables if each table expression (WITH) were written out where it is read, which is how the engine plans it. */
export const readsOf = (tree: unknown): number => reads(tree, new Map())

/** `defined`: reads of the table expressions that can be seen. */
function reads(value: unknown, defined: ReadonlyMap<string, number>): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + reads(item, defined), 0)
  if (typeof value !== 'object' || value === null) return 0
  const { type, table_name: name, cte_map: ctes } = value as Node
  if (type === 'BASE_TABLE' && typeof name === 'string') return defined.get(name.toLowerCase()) ?? 1
  const inside = new Map(defined)
  for (const { key, value: query } of ctes?.map ?? []) {
    const own = isRecursive(query) ? new Map([...inside, [key.toLowerCase(), 1]]) : inside
    inside.set(key.toLowerCase(), Math.max(1, reads(query, own)))
  }
  let sum = 0
  for (const [field, each] of Object.entries(value)) if (field !== 'cte_map') sum += reads(each, inside)
  return sum
}

const isRecursive = (query: unknown): boolean => JSON.stringify(query).includes('"RECURSIVE_CTE_NODE"')
