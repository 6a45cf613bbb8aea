#include "app/build_id.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/id.h"
#include "base/text.h"

enum { ID_BYTES = (BUILD_ID_SIZE - 1) / 2, NOTE_ALIGNMENT = 4 };

static size_t padded(size_t length)
{
    return (length + NOTE_ALIGNMENT - 1) / NOTE_ALIGNMENT * NOTE_ALIGNMENT;
}

/** The note of this name and type among `size` bytes of notes (elf(5)). */
static const uint8_t *find_note(const uint8_t *notes, size_t size, size_t *ret_length)
{
    ElfW(Nhdr) note;
    for (size_t at = 0; at + sizeof note <= size;) {
        memcpy(&note, notes + at, sizeof note);
        const uint8_t *name = notes + at + sizeof note;
        const uint8_t *content = name + padded(note.n_namesz);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof "GNU" &&
            memcmp(name, "GNU", sizeof "GNU") == 0) {
            *ret_length = note.n_descsz;
            return content;
        }
        at += sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    }
    return NULL;
}

/** The first object is the program itself; the others are libraries. */
static int take_id(struct dl_phdr_info *object, size_t size, void *id)
{
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        if (header->p_type != PT_NOTE)
            continue;
        size_t length;
        const uint8_t *found = find_note((const uint8_t *)(object->dlpi_addr + header->p_vaddr),
                                         header->p_memsz, &length);
        if (found)
            memcpy(id, found, length < ID_BYTES ? length : ID_BYTES);
    }
    return 1;
}

const char *build_id(char *hex)
{
    uint8_t id[ID_BYTES];
    id_random(id, sizeof id);
    dl_iterate_phdr(take_id, id);
    return text_hex(id, sizeof id, hex);
}
