package environment

import "strings"

// Expand replaces $(NAME) by the value of a variable that is already defined. $$ stands for a single $; a name that is
// not defined stays as it is written. These are Kubernetes' rules for env, command and args.
func (v *Variables) Expand(text string) string {
	if !strings.Contains(text, "$") {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		switch text[i+1] {
		case '$':
			out.WriteByte('$')
			i++
		case '(':
			end := strings.IndexByte(text[i:], ')')
			if end < 0 {
				out.WriteByte('$')
				continue
			}
			name := text[i+2 : i+end]
			if value, ok := v.values[name]; ok {
				out.WriteString(value)
			} else {
				out.WriteString(text[i : i+end+1])
			}
			i += end
		default:
			out.WriteByte('$')
		}
	}
	return out.String()
}

// ExpandAll expands every element of a list.
func (v *Variables) ExpandAll(list []string) []string {
	expanded := make([]string, len(list))
	for i, s := range list {
		expanded[i] = v.Expand(s)
	}
	return expanded
}
