package syntax

// List is LIST (RFC 9051, section 6.3.9; RFC 5258) or LSUB (RFC 3501, section 6.3.9), which has one pattern and no options.
type List struct {
	Reference string
	Patterns  []string
	Extended  bool // there are selection or return options, or a list of patterns
	Select    ListSelect
	Return    ListReturn
}

// ListSelect is a set of selection options (RFC 5258, section 3.1).
type ListSelect uint8

// Selection options of LIST.
const (
	SelectSubscribed     ListSelect = 1 << iota
	SelectRemote                    //
	SelectRecursiveMatch            // never without another that it can be used with
	SelectSpecialUse                // RFC 6154
)

// Has tells whether all of options are in s.
func (s ListSelect) Has(options ListSelect) bool { return s&options == options }

// ListReturn holds return options (RFC 5258, section 3.2).
type ListReturn struct {
	Subscribed bool
	Children   bool
	SpecialUse bool        // RFC 6154
	MyRights   bool        // RFC 8440
	Status     StatusItems // RFC 5819; 0 if not asked for
	Metadata   []string    // RFC 9590: names of entries in small letters
}
