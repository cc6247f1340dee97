package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// remoteLog is a log as https://c2sp.org/tlog-tiles serves it, at one of its checkpoints.
type remoteLog struct {
	url    string
	caFile string
	tree   tlog.Tree
}

func openLog(url, caFile, vkey string) (*remoteLog, error) {
	log := &remoteLog{url: url, caFile: caFile}
	note, err := log.get("checkpoint")
	if err != nil {
		return nil, err
	}
	text, err := openNote(string(note), []string{vkey})
	if err != nil {
		return nil, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != strings.Split(vkey, "+")[0] {
		return nil, fmt.Errorf("the checkpoint is one of %s", lines[0])
	}
	if _, err := fmt.Sscanf(lines[1], "%d", &log.tree.N); err != nil {
		return nil, err
	}
	log.tree.Hash, err = tlog.ParseHash(lines[2])
	return log, err
}

// get is curl's: the Go of Debian 12 cannot read certificates with object identifiers as long as ours.
func (log *remoteLog) get(path string) ([]byte, error) {
	curl := exec.Command("curl", "-sSf", "--cacert", log.caFile, log.url+"/"+path)
	curl.Stderr = os.Stderr
	return curl.Output()
}

// Height, ReadTiles and SaveTiles make it a tlog.TileReader.
func (log *remoteLog) Height() int { return 8 }

func (log *remoteLog) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// C2SP leaves the height out of the path: it is always 8.
		data, err := log.get(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (log *remoteLog) SaveTiles([]tlog.Tile, [][]byte) {}

// monitor fetches every entry, computes every hash of the tree from them alone, and compares with the checkpoint and
// with every tile that the log must serve for it.
func monitor(log *remoteLog) error {
	var hashes []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = hashes[index]
		}
		return found, nil
	})
	var count int64
	for count < log.tree.N {
		width := log.tree.N - count
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: -1, N: count / 256, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		bundle, err := log.get(path)
		if err != nil {
			return err
		}
		for i := int64(0); i < width; i++ {
			if len(bundle) < 2 {
				return fmt.Errorf("%s is too short", path)
			}
			length := int(binary.BigEndian.Uint16(bundle))
			if len(bundle) < 2+length {
				return fmt.Errorf("%s is too short", path)
			}
			stored, err := tlog.StoredHashes(count, bundle[2:2+length], own)
			if err != nil {
				return err
			}
			hashes = append(hashes, stored...)
			bundle = bundle[2+length:]
			count++
		}
		if len(bundle) != 0 {
			return fmt.Errorf("%s is too long", path)
		}
	}
	root, err := tlog.TreeHash(log.tree.N, own)
	if err != nil {
		return err
	}
	if root != log.tree.Hash {
		return fmt.Errorf("the entries make the root %v, and the checkpoint says %v", root, log.tree.Hash)
	}
	for _, tile := range tlog.NewTiles(8, 0, log.tree.N) {
		data, err := log.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return err
		}
		expected, err := tlog.ReadTileData(tile, own)
		if err != nil {
			return err
		}
		if !bytes.Equal(data[0], expected) {
			return fmt.Errorf("%s is another than the entries make", tile.Path())
		}
	}
	return json.NewEncoder(os.Stdout).Encode(answer{Size: log.tree.N, Root: root})
}

// prove makes a proof out of the tiles of the log; its reader verifies every tile against the checkpoint.
func prove(log *remoteLog, q question) answer {
	reader := tlog.TileHashReader(log.tree, log)
	var proof []tlog.Hash
	var err error
	if q.Kind == "record" {
		var found tlog.RecordProof
		found, err = tlog.ProveRecord(log.tree.N, q.Index, reader)
		proof = found
	} else {
		var found tlog.TreeProof
		found, err = tlog.ProveTree(log.tree.N, q.OldSize, reader)
		proof = found
	}
	if err != nil {
		return answer{Fault: err.Error()}
	}
	return answer{Size: log.tree.N, Root: log.tree.Hash, Proof: proof}
}
