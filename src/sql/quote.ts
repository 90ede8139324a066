// Names and texts as SQL writes them.

/** A name that DuckDB takes as it is, whatever its characters. */
export const nameSql = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A literal of type VARCHAR. DuckDB knows no escapes in it. */
export const textSql = (text: string): string => `'${text.replaceAll("'", "''")}'`
