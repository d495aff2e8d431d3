package wire

// Limits bound what one command may cost. A field that is zero means that of DefaultLimits.
type Limits struct {
	Line     int   // bytes of a command's lines together, literals not counted
	Literal  int64 // bytes of a literal that is an ordinary argument; a streamed literal has the caller's limit
	Literals int64 // bytes of all literals of a command that are ordinary arguments
	Depth    int   // parentheses and search keys within each other
	Items    int   // members of lists and ranges of sets in a command
	Discard  int64 // bytes that Discard reads past before it gives up
}

// DefaultLimits are limits that no known client reaches.
var DefaultLimits = Limits{
	Line:     64 << 10,
	Literal:  64 << 10,
	Literals: 256 << 10,
	Depth:    64,
	Items:    32 << 10,
	Discard:  64 << 20,
}

func (l Limits) withDefaults() Limits {
	if l.Line <= 0 {
		l.Line = DefaultLimits.Line
	}
	if l.Literal <= 0 {
		l.Literal = DefaultLimits.Literal
	}
	if l.Literals <= 0 {
		l.Literals = DefaultLimits.Literals
	}
	if l.Depth <= 0 {
		l.Depth = DefaultLimits.Depth
	}
	if l.Items <= 0 {
		l.Items = DefaultLimits.Items
	}
	if l.Discard <= 0 {
		l.Discard = DefaultLimits.Discard
	}
	return l
}
