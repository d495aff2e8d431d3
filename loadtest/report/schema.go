package report

import _ "embed"

//go:embed report.schema.json
var schema []byte

// JSONSchema is the JSON Schema (draft 2020-12) of report.json.
func JSONSchema() []byte { return schema }
