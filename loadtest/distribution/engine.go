package distribution

import (
	"gouv.tg/messagerie/loadtest/content"
	"gouv.tg/messagerie/loadtest/record"
	"gouv.tg/messagerie/loadtest/scenario"
)

type Input struct {
	Scenario scenario.Scenario  `json:"scenario"`
	Accounts []scenario.Account `json:"accounts"`
	Worker   int                `json:"worker"`
	Workers  int                `json:"workers"`
	CA       []byte             `json:"ca,omitempty"`
	Insecure bool               `json:"insecure,omitempty"`
	RunID    string             `json:"runID"`
}

type Progress struct {
	Phase    string           `json:"phase"`
	Elapsed  float64          `json:"elapsed"`
	Total    float64          `json:"total"`
	Snapshot *record.Snapshot `json:"snapshot,omitempty"`
	Sessions int64            `json:"sessions"`
	InFlight int64            `json:"inFlight"`
}

type Generator struct{}

type Result struct {
	Snapshot  *record.Snapshot `json:"snapshot"`
	Content   content.Summary  `json:"content"`
	Generator Generator        `json:"generator"`
	Aborted   bool             `json:"aborted"`
	Reasons   []string         `json:"reasons,omitempty"`
}
