// References: files of the cluster that stand for files outside of it. A reference is an empty file in the directory of the query or run
// that reads the place, with an attribute that says which file it stands for; a reader of
// the reference gets the bytes of that file. The path tells that a file is a reference.

/** Directory of all copies and references, which has a directory for each place that a query or a run reads. */
export const stagesDirectory = '/.outside'
/** Each user makes directories in it; no other user removes or renames them. */
export const stagesMode = 0o1777

/** Name of the directory of references in that of a place. Copies lie beside it. */
export const referencesName = 'ref'

/** Attribute of a reference (src/connector/reference.ts). */
export const referenceAttribute = 'user.source.reference'

const pattern = new RegExp(`^${stagesDirectory.replace('.', '\\.')}/[^/]+/${referencesName}/`)

/** True for the path of a reference. REQUIRES: the path is normal. */
export const isReference = (path: string): boolean => path.startsWith(stagesDirectory) && pattern.test(path)
