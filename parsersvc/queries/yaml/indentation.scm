; The keys of a mapping, and the items of a sequence, begin in one column.
(block_mapping (block_mapping_pair) @statement) @block
(block_sequence (block_sequence_item) @statement) @block
