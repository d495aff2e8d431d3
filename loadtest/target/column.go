package target

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Column is one value for each interval; NaN where nothing was sampled, which is null in JSON.
type Column []float64

// MarshalJSON writes values with 6 significant digits.
func (c Column) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+8*len(c))
	out = append(out, '[')
	for i, v := range c {
		if i > 0 {
			out = append(out, ',')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			out = append(out, "null"...)
			continue
		}
		// The shortest form of the rounded value: 1234567 becomes 1234570, not 1.23457e+06.
		rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
		if err != nil {
			return nil, fmt.Errorf("cannot write %v: %w", v, err)
		}
		out = strconv.AppendFloat(out, rounded, 'f', -1, 64)
	}
	return append(out, ']'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Column) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*c = nil
		return nil
	}
	var values []*float64
	if err := json.Unmarshal(text, &values); err != nil {
		return fmt.Errorf("cannot read column: %w", err)
	}
	*c = make(Column, len(values))
	for i, v := range values {
		(*c)[i] = math.NaN()
		if v != nil {
			(*c)[i] = *v
		}
	}
	return nil
}
