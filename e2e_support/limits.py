"""Every bound of the protocol with its reason; a decoder takes its cap from here and nowhere else."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

# codec
INT_MAX = 2**53 - 1  # the largest integer that JavaScript holds exactly
DEPTH_MAX = 6  # the deepest structure of the protocol has five levels
ARRAY_MAX = 4096  # pages, rings and missing lists; bounds what a small body can blow up to

# mailbox
ENTRY_MAX = 256 * KIB  # an opening with long text, debug data and 32 attachments, padded
INNER_MAX = 224 * KIB
BODY_MAX = 192 * KIB
RECEIPT_MAX = 2 * KIB  # a Merkle path of at most 16 steps
RECEIPT_PATH_MAX = 16  # 2**16 entries in one commit group
BOX_MAX = 1280  # HPKE overhead 1136 B and at most 96 B of secret
MAILBOX_ENTRIES_MAX = 10_000  # a ticket of ten thousand entries is an attack or a mistake
VOLUME_MAX = 1024  # entries of a volume of the team space: of any size, a relay's usual 256 MiB hold so many
PAGE_BYTES_MAX = 1 * MIB  # one read answer; a reader asks again for the rest
PAGE_ITEMS_MAX = 256

# blobs
CHUNK_SIZE = 256 * KIB  # STREAM plaintext chunk
CHUNK_SEALED = CHUNK_SIZE + 16
PIECE_CHUNKS = 4
PIECE_SIZE = PIECE_CHUNKS * CHUNK_SEALED  # one upload request
FILE_MAX = 2 * 1024 * MIB  # 2 GiB, keeps the list of missing pieces under ARRAY_MAX
BLOB_MAX = 2200 * MIB  # FILE_MAX with padding, tags and leaf list
ATTACHMENTS_MAX = 32
FILE_PAD_MIN = 4 * KIB  # Padmé keeps small sizes almost exact; below this all files look alike
FILE_NAME_MAX = 200  # code points

# requests
REQUEST_MAX = PIECE_SIZE + 4 * KIB
REQUEST_LIFE = 60  # seconds between created and expires
CLOCK_SKEW = 30  # seconds a request may come from the future
SESSION_LIFE = 600  # seconds a read session lasts
NONCE_SIZE = 16

# text
SUBJECT_MAX = 998  # code points; the policy sets the lower bound that people meet
TEXT_MAX = 20_000  # code points of one message
NAME_MAX = 100
ID_TEXT_MAX = 64
DEBUG_MAX = 64 * KIB  # canonical JSON bytes
TAGS_MAX = 32  # of one ticket: more is a filing system

# roster
DEVICES_MAX = 256
MEMBER_DEVICES_MAX = 16  # all of a person's devices go in one batch
LINK_MAX = 512 * KIB
POLICY_MAX = 128 * KIB
RING_MAX = 256 * KIB
STRANGE_BATCH_MAX = 512 * KIB  # bytes of links brought by a device that the relay does not know yet
WORK_BITS_MAX = 32  # more would make honest devices give up

# time
CLOCK_WARNING = 48 * 3600  # author and relay time may differ by this much before it is shown
