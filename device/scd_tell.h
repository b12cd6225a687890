/* scd_tell.h - sentences for the person behind gpg, which shows nothing but the text of an error's code.
 *
 * Between gpg and the card is gpg-agent, and it passes no sentence on. So it goes to the standard error of
 * each gpg of this user that works on the same folder, which waits for the card or for the network behind it,
 * and of the git that has started it (git up to 2.40 throws away what gpg says); as ssh_tell.h does it, to
 * terminals and pipes alone. And to the program of the setting `notify`. */
#ifndef HALFKEY_DEVICE_SCD_TELL_H
#define HALFKEY_DEVICE_SCD_TELL_H

/* `home` is GnuPG's folder as hk_gpg_home has it. */
void hk_scd_tell(const char *home, const char *sentence);

#endif
