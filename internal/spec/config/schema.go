package config

import _ "embed"

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of the main file; $defs/zone is that of a file of the folder. Editors complete and check
// with it. It is made of package spec: go test ./internal/spec/config -update.
func Schema() []byte { return schema }
