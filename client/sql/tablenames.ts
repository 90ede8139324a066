// Names of the tables that a statement reads, from its tree. The engine's own list is empty where it cannot bind the statement without the
// tables: with JOIN … USING, or COLUMNS over the names of columns.

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
    const own = JSON.stringify(query).includes('"RECURSIVE_CTE_NODE"') ? new Set([...inside, key.toLowerCase()]) : inside
    visit(query, own, found)
    inside.add(key.toLowerCase())
  }
  for (const [field, each] of Object.entries(value)) if (field !== 'cte_map') visit(each, inside, found)
}
