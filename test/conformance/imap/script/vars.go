package script

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Vars are the variables of a test and the messages it may name.
type Vars struct {
	Values   map[string]string
	Messages map[string]string
}

// Clone copies the values, so that a match that fails leaves none behind.
func (v *Vars) Clone() *Vars {
	c := &Vars{Values: make(map[string]string, len(v.Values)), Messages: v.Messages}
	for k, x := range v.Values {
		c.Values[k] = x
	}
	return c
}

// dollar stands for \$ of a pattern's string until its variables are expanded: a character no message has.
const dollar = "\uf8ff"

var (
	reference = regexp.MustCompile(`\$(/|[a-z][a-z0-9_]*|\{[a-z][a-z0-9_]*\}|\([^()]*\))`)
	repeat    = regexp.MustCompile(`\$rep\('([^']*)',\s*(\d+)\)`)
)

// Expand replaces $name, ${name}, $/, $(sum of names and numbers) and $rep('text', count). A lone dollar and one before
// a capital letter stay as they are, and \$ in a pattern's string is a dollar.
func (v *Vars) Expand(text string) (string, error) {
	var problem error
	text = repeat.ReplaceAllStringFunc(text, func(match string) string {
		parts := repeat.FindStringSubmatch(match)
		count, err := strconv.Atoi(parts[2])
		if err != nil || count*len(parts[1]) > 100<<20 {
			problem = fmt.Errorf("repetition: found %q", match)
			return ""
		}
		return strings.Repeat(parts[1], count)
	})
	text = reference.ReplaceAllStringFunc(text, func(match string) string {
		name := strings.Trim(match[1:], "{}")
		if strings.HasPrefix(name, "(") {
			n, err := v.Sum(name[1 : len(name)-1])
			if err != nil {
				problem = err
			}
			return strconv.FormatInt(n, 10)
		}
		value, ok := v.Values[name]
		if !ok {
			problem = fmt.Errorf("variable $%s: not set", name)
		}
		return value
	})
	return strings.ReplaceAll(text, dollar, "$"), problem
}

// Sum computes a sum or difference of numbers, variables and sizes of messages: "uidnext + 2", "plain.size - 1".
func (v *Vars) Sum(text string) (int64, error) {
	var total int64
	sign := int64(1)
	for _, word := range strings.Fields(strings.NewReplacer("+", " + ", "-", " - ").Replace(text)) {
		switch word {
		case "+":
			sign = 1
			continue
		case "-":
			sign = -1
			continue
		}
		n, err := v.number(word)
		if err != nil {
			return 0, err
		}
		total += sign * n
	}
	return total, nil
}

func (v *Vars) number(word string) (int64, error) {
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return n, nil
	}
	if name, ok := strings.CutSuffix(word, ".size"); ok {
		text, err := v.Content(name)
		return int64(len(text)), err
	}
	value, ok := v.Values[strings.TrimPrefix(word, "$")]
	if !ok {
		return 0, fmt.Errorf("variable %s: not set", word)
	}
	return strconv.ParseInt(value, 10, 64)
}

// Content returns a message, or its header or text: "plain", "plain.header", "plain.text". The header has the empty
// line that ends it.
func (v *Vars) Content(name string) (string, error) {
	if text, ok := v.Messages[name]; ok {
		return text, nil
	}
	for _, part := range []string{".header", ".text"} {
		base, ok := strings.CutSuffix(name, part)
		text, known := v.Messages[base]
		if !ok || !known {
			continue
		}
		header, body, found := strings.Cut(text, "\r\n\r\n")
		if !found {
			return "", fmt.Errorf("message %s: no empty line found", base)
		}
		if part == ".text" {
			return body, nil
		}
		return header + "\r\n\r\n", nil
	}
	return "", fmt.Errorf("message %s: not found", name)
}
