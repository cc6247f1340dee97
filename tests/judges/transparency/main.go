// Judges a gateway's log from outside, by Go's golang.org/x/mod/sumdb and nothing of ours.
//
//	judge monitor URL CA-FILE VKEY   fetches checkpoint, tiles and entries, and computes the whole tree anew
//	judge prove URL CA-FILE VKEY     makes proofs out of tiles, for questions on standard input
//	judge check                      checks what stands on standard input
//
// Questions and answers are JSON, one a line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	err := fmt.Errorf("judge monitor|prove URL CA-FILE VKEY, judge check")
	if len(os.Args) == 5 {
		var log *remoteLog
		log, err = openLog(os.Args[2], os.Args[3], os.Args[4])
		if err == nil && os.Args[1] == "monitor" {
			err = monitor(log)
		} else if err == nil {
			err = eachLine(func(q question) answer { return prove(log, q) })
		}
	} else if len(os.Args) == 2 && os.Args[1] == "check" {
		err = eachLine(check)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type question struct {
	Kind string // note, record, tree
	// Of a note, and the keys that must all have signed it.
	Note  string
	Vkeys []string
	// Of a record or a tree.
	Index   int64
	OldSize int64
	Size    int64
	Leaf    tlog.Hash
	OldRoot tlog.Hash
	Root    tlog.Hash
	Proof   []tlog.Hash
}

type answer struct {
	Fault string      `json:"fault,omitempty"`
	Text  string      `json:"text,omitempty"`
	Size  int64       `json:"size,omitempty"`
	Root  tlog.Hash   `json:"root"`
	Proof []tlog.Hash `json:"proof,omitempty"`
}

func eachLine(ask func(question) answer) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		if err := out.Encode(ask(q)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func check(q question) answer {
	var err error
	text := ""
	switch q.Kind {
	case "note":
		text, err = openNote(q.Note, q.Vkeys)
	case "record":
		err = tlog.CheckRecord(q.Proof, q.Size, q.Root, q.Index, q.Leaf)
	case "tree":
		err = tlog.CheckTree(q.Proof, q.Size, q.Root, q.OldSize, q.OldRoot)
	default:
		err = fmt.Errorf("no kind %q", q.Kind)
	}
	if err != nil {
		return answer{Fault: err.Error()}
	}
	return answer{Text: text}
}

// openNote returns the text of a note that every one of the keys has signed.
func openNote(text string, vkeys []string) (string, error) {
	var verifiers []note.Verifier
	for _, vkey := range vkeys {
		verifier, err := newVerifier(vkey)
		if err != nil {
			return "", err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifiers...))
	if err != nil {
		return "", err
	}
	if len(opened.Sigs) != len(vkeys) {
		return "", fmt.Errorf("%d of %d keys signed", len(opened.Sigs), len(vkeys))
	}
	return opened.Text, nil
}
