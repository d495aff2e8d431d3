package syntax

// GetMetadata is GETMETADATA (RFC 5464, section 4.2).
type GetMetadata struct {
	Mailbox    string   // empty for the server's own entries
	Entries    []string // in small letters
	Depth      Depth
	MaxSize    uint32
	HasMaxSize bool
}

// Depth is how far below an entry GETMETADATA looks.
type Depth uint8

// Depths.
const (
	Depth0        Depth = iota // the entry itself
	Depth1                     // and those one level below
	DepthInfinity              // and all below
)

// SetMetadata is SETMETADATA (RFC 5464, section 4.3).
type SetMetadata struct {
	Mailbox string // empty for the server's own entries
	Entries []MetadataEntry
}

// MetadataEntry is an entry and its value.
type MetadataEntry struct {
	Name  string // in small letters
	Value string // any bytes
	Null  bool   // the value is NIL: the entry is removed, or is not there
}
