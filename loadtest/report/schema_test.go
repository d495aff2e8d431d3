package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/loadtest/report"
)

// validator checks the part of JSON Schema that report.schema.json uses, and refuses what it does not know.
type validator struct{ root map[string]any }

func (v validator) check(at string, schema map[string]any, value any) (problems []string) {
	bad := func(format string, a ...any) { problems = append(problems, at+": "+fmt.Sprintf(format, a...)) }
	object, _ := value.(map[string]any)
	list, _ := value.([]any)
	for keyword, rule := range schema {
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description":
		case "$ref":
			name := strings.TrimPrefix(rule.(string), "#/$defs/")
			target, ok := v.root["$defs"].(map[string]any)[name].(map[string]any)
			if !ok {
				bad("no definition %q", name)
				continue
			}
			problems = append(problems, v.check(at, target, value)...)
		case "const":
			if value != rule {
				bad("found %v; accepted is %v", value, rule)
			}
		case "enum":
			if !slices.Contains(rule.([]any), value) {
				bad("found %v; accepted are %v", value, rule)
			}
		case "type":
			types, several := rule.([]any)
			if !several {
				types = []any{rule}
			}
			if !slices.ContainsFunc(types, func(t any) bool { return isType(t.(string), value) }) {
				bad("found %T; accepted is %v", value, rule)
			}
		case "format":
			if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(value)); err != nil {
				bad("%v", err)
			}
		case "minimum":
			minimum, _ := rule.(json.Number).Float64()
			if n, ok := value.(json.Number); ok {
				if f, _ := n.Float64(); f < minimum {
					bad("found %s; accepted is at least %v", n, minimum)
				}
			}
		case "required":
			for _, name := range rule.([]any) {
				if _, ok := object[name.(string)]; !ok {
					bad("%s is missing", name)
				}
			}
		case "properties":
			for name, sub := range rule.(map[string]any) {
				if member, ok := object[name]; ok {
					problems = append(problems, v.check(at+"."+name, sub.(map[string]any), member)...)
				}
			}
		case "additionalProperties":
			for name, member := range object {
				problems = append(problems, v.check(at+"."+name, rule.(map[string]any), member)...)
			}
		case "items":
			for i, member := range list {
				problems = append(problems, v.check(fmt.Sprintf("%s[%d]", at, i), rule.(map[string]any), member)...)
			}
		default:
			bad("the schema's keyword %q is not checked here", keyword)
		}
	}
	return problems
}

func isType(name string, value any) bool {
	switch v := value.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	case json.Number:
		return name == "number" || name == "integer" && !strings.ContainsAny(v.String(), ".eE")
	}
	return false
}

func decode(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// schemaProblems checks raw against the schema.
func schemaProblems(t *testing.T, raw []byte) []string {
	t.Helper()
	root := decode(t, report.JSONSchema())
	return validator{root}.check("report", root, decode(t, raw))
}

func TestSchema(t *testing.T) {
	for name, r := range reports(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := report.Write(dir, r); err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(filepath.Join(dir, report.JSONFile))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range schemaProblems(t, raw) {
				t.Error(p)
			}
		})
	}
}

// TestSchemaKnowsEveryField: what Go writes and the schema does not describe would stay undocumented.
func TestSchemaKnowsEveryField(t *testing.T) {
	raw, err := json.Marshal(reports(t)["faults"])
	if err != nil {
		t.Fatal(err)
	}
	root := decode(t, report.JSONSchema())
	var walk func(at string, schema map[string]any, value any)
	walk = func(at string, schema map[string]any, value any) {
		if ref, ok := schema["$ref"].(string); ok {
			schema = root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		properties, closed := schema["properties"].(map[string]any)
		switch value := value.(type) {
		case map[string]any:
			for name, member := range value {
				sub, ok := properties[name].(map[string]any)
				if !ok {
					sub, ok = schema["additionalProperties"].(map[string]any)
				}
				if !ok && closed {
					t.Errorf("%s.%s is not in the schema", at, name)
				}
				walk(at+"."+name, sub, member)
			}
		case []any:
			items, _ := schema["items"].(map[string]any)
			for _, member := range value[:min(len(value), 3)] {
				walk(at+"[]", items, member)
			}
		}
	}
	walk("report", root, decode(t, raw))
}

func TestSchemaRefusesDoctoredReports(t *testing.T) {
	raw, err := json.Marshal(reports(t)["faults"])
	if err != nil {
		t.Fatal(err)
	}
	operation := func(r map[string]any) map[string]any {
		return r["operations"].(map[string]any)["imap.noop"].(map[string]any)
	}
	for name, doctor := range map[string]func(r map[string]any){
		"no verdict":       func(r map[string]any) { delete(r, "verdict") },
		"unknown verdict":  func(r map[string]any) { r["verdict"] = "green" },
		"another schema":   func(r map[string]any) { r["schema"] = "v0" },
		"count as text":    func(r map[string]any) { operation(r)["count"] = "12" },
		"negative time":    func(r map[string]any) { operation(r)["p99"] = -1 },
		"no p999":          func(r map[string]any) { delete(operation(r), "p999") },
		"a time no time":   func(r map[string]any) { r["startedAt"] = "yesterday" },
		"gates no list":    func(r map[string]any) { r["gates"] = map[string]any{} },
		"a gate's pass":    func(r map[string]any) { r["gates"].([]any)[0].(map[string]any)["pass"] = 1 },
		"lag missing":      func(r map[string]any) { delete(r["generator"].(map[string]any), "lagP99") },
		"series' count":    func(r map[string]any) { cell(r)["count"] = 1.5 },
		"a class no count": func(r map[string]any) { operation(r)["classes"] = map[string]any{"NO": -1} },
	} {
		t.Run(name, func(t *testing.T) {
			r := decode(t, raw)
			doctor(r)
			doctored, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if len(schemaProblems(t, doctored)) == 0 {
				t.Error("accepted")
			}
		})
	}
}

// cell is one cell of the series.
func cell(r map[string]any) map[string]any {
	interval := r["series"].(map[string]any)["intervals"].([]any)[1].(map[string]any)
	return interval["operations"].(map[string]any)["imap.noop"].(map[string]any)
}
