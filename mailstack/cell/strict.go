package cell

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// unknownField returns an error with the path of a field that target's type does not have. encoding/json only tells
// the name. Text that is no JSON is left to the decoder.
func unknownField(text []byte, target any) error {
	var value any
	if json.Unmarshal(text, &value) != nil {
		return nil
	}
	return compareFields(value, reflect.TypeOf(target).Elem(), "")
}

func compareFields(value any, t reflect.Type, path string) error {
	object, ok := value.(map[string]any)
	if !ok || t.Kind() != reflect.Struct {
		return nil
	}
	known := make(map[string]reflect.Type)
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known[name] = f.Type
	}
	for name, inner := range object {
		field, ok := known[name]
		if !ok {
			accepted := make([]string, 0, len(known))
			for k := range known {
				accepted = append(accepted, k)
			}
			slices.Sort(accepted)
			return fmt.Errorf("%s: unknown field; accepted are %s", path+name, strings.Join(accepted, ", "))
		}
		if err := compareFields(inner, field, path+name+"."); err != nil {
			return err
		}
	}
	return nil
}
