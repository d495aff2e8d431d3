package admin

// Problem is an inconsistency in a cell's store.
type Problem struct {
	Address string `json:"address,omitempty"` // the account that it concerns; empty: none, or several
	Where   string `json:"where"`             // such as mailbox 12 uid 5
	What    string `json:"what"`
}

// RepairRequest says what is to be repaired.
type RepairRequest struct {
	Address    string `json:"address,omitempty"`    // empty: the whole cell
	Do         bool   `json:"do,omitempty"`         // false: only tell what would be done
	RemoveLost bool   `json:"removeLost,omitempty"` // also remove messages whose bytes are lost
}

// Mended is a problem and what is done about it.
type Mended struct {
	Problem
	Action string `json:"action,omitempty"` // empty: nothing can be done
	Takes  bool   `json:"takes,omitempty"`  // it removes mail whose bytes are lost
	Done   bool   `json:"done,omitempty"`
}

// Compaction says what a compaction has done.
type Compaction struct {
	Removed    int   `json:"removed"`    // segment files
	Freed      int64 `json:"freed"`      // their bytes
	Moved      int64 `json:"moved"`      // bytes copied from them
	Unreadable int   `json:"unreadable"` // messages that could not be copied; their segments stay
}
