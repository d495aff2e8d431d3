package report

import (
	"encoding/json"
	"math"
	"reflect"
)

var marshaler = reflect.TypeFor[json.Marshaler]()

// finite makes a value fit for JSON, which knows neither NaN nor infinity.
func finite(v float64) float64 {
	switch {
	case math.IsNaN(v):
		return 0
	case math.IsInf(v, 0):
		return math.Copysign(math.MaxFloat64, v)
	}
	return v
}

// finiteAll does that to every float below v, so that one bad figure never costs the report. Types that write
// themselves as JSON are left alone.
func finiteAll(v reflect.Value) {
	if v.Type().Implements(marshaler) || v.Kind() != reflect.Pointer && reflect.PointerTo(v.Type()).Implements(marshaler) {
		return
	}
	switch v.Kind() {
	case reflect.Float64:
		if f := v.Float(); v.CanSet() && f != finite(f) {
			v.SetFloat(finite(f))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			finiteAll(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				finiteAll(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			finiteAll(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			finiteAll(value)
			v.SetMapIndex(key, value)
		}
	}
}
