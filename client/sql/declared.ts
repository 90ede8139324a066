// Types that a statement may declare for columns of CSV and JSON: those that the readers give without bending a value.

export const declaredTypes = new RegExp(
  '^(?:VARCHAR|TEXT|STRING|BOOLEAN|BOOL|U?(?:TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|INT|DOUBLE|DATE|TIME|TIMESTAMP'
  + '|(?:DECIMAL|NUMERIC)(?:\\(\\s*\\d+\\s*,\\s*\\d+\\s*\\))?)$', 'i',
)

export const notDeclared = ({ name, type }: { readonly name: string; readonly type: string }): string =>
  `${name} is declared as ${type}; CSV and JSON are read as VARCHAR, BOOLEAN, INTEGER, BIGINT, other integers, DOUBLE, DATE, TIME or `
  + 'TIMESTAMP: convert such a column in a view'
